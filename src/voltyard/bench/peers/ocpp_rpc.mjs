// The npm package ocpp-rpc in strict mode: each call and each answer is checked by its schema.
import { RPCServer } from "ocpp-rpc";
import { answer } from "./answers.mjs";

const server = new RPCServer({ protocols: ["ocpp1.6", "ocpp2.0.1"], strictMode: true });
server.auth((accept) => accept());
server.on("client", (client) => {
  client.handle(({ method }) => answer(method));
});
server.on("error", (error) => console.error(String(error)));
const http = await server.listen(0, "127.0.0.1");
console.log(`ready ${http.address().port}`);
