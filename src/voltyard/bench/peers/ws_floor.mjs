// The floor: the npm package ws and nothing of OCPP but parsing a call and answering it.
import { WebSocketServer } from "ws";
import { answer } from "./answers.mjs";

const server = new WebSocketServer({
  host: "127.0.0.1",
  port: 0,
  backlog: 4096,
  handleProtocols: (offered) => offered.values().next().value ?? false,
});
server.on("connection", (socket) => {
  socket.on("message", (data) => {
    const [kind, id, action] = JSON.parse(data);
    if (kind === 2) socket.send(JSON.stringify([3, id, answer(action)]));
  });
  socket.on("error", () => socket.terminate());
});
server.on("listening", () => console.log(`ready ${server.address().port}`));
