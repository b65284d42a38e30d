// A provider of identities by the npm package oidc-provider. It prints its issuer; commands come by
// standard input, one JSON object a line: {"as": "ada"} signs that person in from now on (null
// refuses), {"account": ["ada", {…}]} changes what is said of somebody, {"rotate": true} takes new
// keys, {"clients": [{…}]} says who may ask.
import { createServer } from "node:http";
import { createInterface } from "node:readline";
import { exportJWK, generateKeyPair } from "jose";
import { Provider } from "oidc-provider";

const accounts = new Map();
let current = null;
let clients = [];
let generation = 0;
let provider;
let handle;

async function build() {
  generation += 1;
  const { privateKey } = await generateKeyPair("RS256", { extractable: true });
  const key = { ...(await exportJWK(privateKey)), use: "sig", alg: "RS256", kid: `key-${generation}` };
  provider = new Provider(issuer, {
    clients,
    jwks: { keys: [key] },
    cookies: { keys: ["cookies of a test"] },
    scopes: ["openid", "email", "profile", "groups"],
    claims: {
      openid: ["sub"],
      email: ["email", "email_verified"],
      profile: ["name", "locale"],
      groups: ["groups"],
    },
    features: { devInteractions: { enabled: false } },
    interactions: { url: (_, interaction) => `/interaction/${interaction.uid}` },
    findAccount: (_, id) => ({ accountId: id, claims: () => ({ ...accounts.get(id), sub: id }) }),
    loadExistingGrant: async (ctx) => {
      const { client, session } = ctx.oidc;
      const grant = new provider.Grant({ clientId: client.clientId, accountId: session.accountId });
      grant.addOIDCScope("openid email profile groups");
      await grant.save();
      return grant;
    },
  });
  handle = provider.callback();
}

const server = createServer((request, response) => {
  if (!request.url.startsWith("/interaction/")) {
    handle(request, response);
    return;
  }
  const result = current
    ? { login: { accountId: current } }
    : { error: "access_denied", error_description: "not this person" };
  provider.interactionFinished(request, response, result, { mergeWithLastSubmission: false });
});
await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
const issuer = `http://127.0.0.1:${server.address().port}`;
await build();
console.log(JSON.stringify({ event: "listening", issuer }));

for await (const line of createInterface({ input: process.stdin })) {
  const asked = JSON.parse(line);
  if ("as" in asked) current = asked.as;
  if ("account" in asked) accounts.set(asked.account[0], asked.account[1]);
  if ("clients" in asked) clients = asked.clients;
  if ("rotate" in asked || "clients" in asked) await build();
  console.log(JSON.stringify({ event: "done", id: asked.id }));
}
