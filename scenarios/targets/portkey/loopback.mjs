// The gateway listens on every interface and has no option for it: bind the loopback address instead.
import net from "node:net";

const listen = net.Server.prototype.listen;
net.Server.prototype.listen = function (port, ...rest) {
  return typeof port === "number" ? listen.call(this, port, "127.0.0.1", ...rest.filter((value) => typeof value === "function")) : listen.call(this, port, ...rest);
};
