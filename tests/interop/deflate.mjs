// A client on the npm package ws that offers permessage-deflate with the windows it is told.
// `node deflate.mjs URL SUBPROTOCOL CLIENT_BITS SERVER_BITS`: sends a long DataTransfer and a
// Heartbeat, tells what was agreed and what came back on standard output, one JSON object a line.
import WebSocket from "ws";

const [url, subprotocol, client, server] = process.argv.slice(2);
const tell = (event, facts = {}) => console.log(JSON.stringify({ event, ...facts }));
const bits = (text) => (text === "none" ? undefined : Number(text));

const socket = new WebSocket(url, [subprotocol], {
  perMessageDeflate: {
    clientMaxWindowBits: bits(client),
    serverMaxWindowBits: bits(server),
    threshold: 0,
  },
});
socket.on("upgrade", (response) =>
  tell("agreed", { extensions: response.headers["sec-websocket-extensions"] ?? "" }),
);
socket.on("open", () => {
  const data = "a meter value and another ".repeat(3000);
  socket.send(JSON.stringify([2, "long", "DataTransfer", { vendorId: "v", data }]));
  socket.send(JSON.stringify([2, "short", "Heartbeat", {}]));
});
let heard = 0;
socket.on("message", (text) => {
  tell("answer", { id: JSON.parse(text)[1], kind: JSON.parse(text)[0] });
  heard += 1;
  if (heard === 2) socket.close(1000);
});
socket.on("error", (error) => tell("failed", { error: String(error) }));
socket.on("close", (code) => tell("closed", { code }));
