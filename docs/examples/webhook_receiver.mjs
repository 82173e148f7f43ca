// Receives webhooks of Tasklane on a free port and writes down what is genuine.
//
//     node webhook_receiver.mjs DIRECTORY
//
// DIRECTORY/port gets the port, DIRECTORY/secret is read (whsec_...), DIRECTORY/events gets one line for each new event.
import { createHmac, timingSafeEqual } from "node:crypto";
import { appendFileSync, readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";

const TOLERANCE_SECONDS = 300;

// True if the body was signed with the secret within the last minutes (Standard Webhooks).
export function verify(secret, headers, body) {
  const sentAt = headers["webhook-timestamp"];
  if (Math.abs(Date.now() / 1000 - Number(sentAt)) > TOLERANCE_SECONDS) return false;
  const key = Buffer.from(secret.replace(/^whsec_/, ""), "base64");
  const signed = Buffer.concat([Buffer.from(`${headers["webhook-id"]}.${sentAt}.`), body]);
  const wanted = Buffer.from(`v1,${createHmac("sha256", key).update(signed).digest("base64")}`);
  // Several while a secret is being replaced.
  return headers["webhook-signature"].split(" ").some((given) => {
    const bytes = Buffer.from(given);
    return bytes.length === wanted.length && timingSafeEqual(bytes, wanted);
  });
}

const directory = process.argv[2];
const seen = new Set();
const server = createServer(async (request, response) => {
  const parts = [];
  for await (const part of request) parts.push(part);
  const body = Buffer.concat(parts);
  const genuine = verify(readFileSync(`${directory}/secret`, "utf8").trim(), request.headers, body);
  if (genuine && !seen.has(request.headers["webhook-id"])) {
    seen.add(request.headers["webhook-id"]);
    const event = JSON.parse(body);
    appendFileSync(`${directory}/events`, `${event.type} ${event.subject} ${event.data.module ?? "-"} genuine\n`);
  }
  response.writeHead(genuine ? 204 : 401).end();
});
server.listen(0, "127.0.0.1", () => writeFileSync(`${directory}/port`, String(server.address().port)));
