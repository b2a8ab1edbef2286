// Sends what is meant for Microsoft to the simulator, and nothing anywhere else. Loaded before the CLI (`node --require`).
'use strict';

const http = require('node:http');
const https = require('node:https');
const { syncBuiltinESMExports } = require('node:module');

const HOSTS = {
  'graph.microsoft.com': new URL(process.env.CONTENDER_GRAPH),
  'login.microsoftonline.com': new URL(process.env.CONTENDER_LOGIN),
};
const plain = http.request;
const secure = https.request;

function redirected(options, ...rest) {
  const name = options.hostname ?? options.host;
  const target = HOSTS[name] ?? Object.values(HOSTS).find((url) => url.hostname === name && url.port === String(options.port));
  if (target === undefined) {
    throw new Error(`${name} is not part of the simulated tenant`);
  }
  const { agent, ...kept } = options;
  const request = target.protocol === 'http:' ? plain : secure;
  return request({ ...kept, protocol: target.protocol, host: target.hostname, hostname: target.hostname, port: target.port }, ...rest);
}

http.request = https.request = redirected;
syncBuiltinESMExports();
