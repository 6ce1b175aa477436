// node round_robin.mjs BIN PORT BACKEND...: a router as the documentation of http-proxy-3 shows it, which takes the backends in turn.

import http from "node:http";
import { createRequire } from "node:module";
import { join } from "node:path";

const [bin, port, ...backends] = process.argv.slice(2);
const { createProxyServer } = createRequire(join(bin, "..", "package.json"))("http-proxy-3");

const proxy = createProxyServer();
proxy.on("error", (error, request, response) => {
  if (response.headersSent) return response.destroy();
  response.writeHead(502, { "Content-Type": "application/json" });
  response.end(JSON.stringify({ error: { message: "Bad gateway", type: "server_error", param: null, code: null } }));
});

let turn = 0;
const server = http.createServer((request, response) => {
  proxy.web(request, response, { target: backends[turn++ % backends.length] });
});
server.listen(Number(port), "127.0.0.1");
process.on("SIGTERM", () => server.close(() => process.exit(0)));
