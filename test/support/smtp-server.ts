import { readFileSync } from "node:fs";
import { createServer, type Server, type Socket } from "node:net";
import { join } from "node:path";
import { createServer as createTlsServer, TLSSocket } from "node:tls";

/** A mail as a receiver has it after the last dot. */
export type ReceivedMail = {
  readonly from: string;
  readonly to: readonly string[];
  /** Headers and body as they came, dots unstuffed. */
  readonly source: string;
  readonly isEncrypted: boolean;
  /** `user:password`, where the sender signed in. */
  readonly signedInAs: string | undefined;
};

export type SmtpServer = {
  readonly port: number;
  mails(): readonly ReceivedMail[];
  /** Resolves with all mails as soon as there are at least `count`. */
  waitForMails(count: number): Promise<readonly ReceivedMail[]>;
  /** Answers the next commands of this name so, instead of taking them: `["RCPT", "550 no such user"]`. */
  refuse(command: string, reply: string): void;
  /** Refuses this recipient, and takes the others. */
  refuseRecipient(address: string, reply: string): void;
  stop(): Promise<void>;
};

export type SmtpServerOptions = {
  /** 0: a free one. */
  readonly port?: number;
  readonly tls?: "none" | "starttls" | "tls";
  readonly user?: string;
  readonly password?: string;
};

/** For `receiver.test`, good for a hundred years and nobody's but the tests'. */
export const RECEIVER_CERT = readFileSync(join(import.meta.dir, "receiver-cert.pem"), "utf8");
export const RECEIVER_KEY = readFileSync(join(import.meta.dir, "receiver-key.pem"), "utf8");

/** A mail server on the loopback interface that keeps what it is sent: as much of RFC 5321 as a sender needs. */
export function startSmtpServer(options: SmtpServerOptions = {}): Promise<SmtpServer> {
  const { tls = "none" } = options;
  const mails: ReceivedMail[] = [];
  const waiting = new Set<() => void>();
  const refusals = new Map<string, string>();
  const sockets = new Set<Socket>();
  const credentials = { cert: RECEIVER_CERT, key: RECEIVER_KEY };
  const serve = (socket: Socket) => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
    converse(socket, {
      options,
      refusals,
      credentials,
      keep: (mail) => {
        mails.push(mail);
        for (const look of [...waiting]) look();
      },
    });
  };
  const server: Server = tls === "tls" ? createTlsServer(credentials, serve) : createServer(serve);
  return new Promise((resolve, reject) => {
    server.on("error", reject);
    server.listen(options.port ?? 0, "127.0.0.1", () => {
      const address = server.address();
      if (address === null || typeof address === "string") return reject(new Error("The mail server has no port"));
      resolve({
        port: address.port,
        mails: () => [...mails],
        waitForMails: (count) =>
          new Promise((done) => {
            const look = () => {
              if (mails.length < count) return;
              waiting.delete(look);
              done([...mails]);
            };
            waiting.add(look);
            look();
          }),
        refuse: (command, reply) => void refusals.set(command, reply),
        refuseRecipient: (address, reply) => void refusals.set(`RCPT ${address}`, reply),
        stop: () =>
          new Promise((done) => {
            server.close(() => done());
            for (const socket of sockets) socket.destroy();
          }),
      });
    });
  });
}

type Conversation = {
  readonly options: SmtpServerOptions;
  readonly refusals: Map<string, string>;
  readonly credentials: { readonly cert: string; readonly key: string };
  readonly keep: (mail: ReceivedMail) => void;
};

function converse(plain: Socket, { options, refusals, credentials, keep }: Conversation): void {
  const { tls = "none", user, password } = options;
  let socket = plain;
  let isEncrypted = tls === "tls";
  let buffered = "";
  let from = "";
  let to: string[] = [];
  let source: string[] | undefined;
  let signedInAs: string | undefined;
  const say = (line: string) => socket.write(`${line}\r\n`);

  function listen(): void {
    socket.on("data", (chunk: Buffer | string) => {
      buffered += chunk.toString();
      for (let end = buffered.indexOf("\r\n"); end >= 0; end = buffered.indexOf("\r\n")) {
        const line = buffered.slice(0, end);
        buffered = buffered.slice(end + 2);
        take(line);
      }
    });
    socket.on("error", () => socket.destroy());
  }

  function take(line: string): void {
    if (source !== undefined) {
      takeData(line, source);
      return;
    }
    const command = (line.split(/[\s:]/)[0] ?? "").toUpperCase();
    const refusal = refusals.get(command) ?? refusals.get(`${command} ${addressIn(line)}`);
    if (refusal !== undefined) return void say(refusal);
    switch (command) {
      case "EHLO":
        say("250-receiver.test");
        if (tls === "starttls" && !isEncrypted) say("250-STARTTLS");
        if (user !== undefined) say("250-AUTH PLAIN");
        return void say("250 8BITMIME");
      case "STARTTLS":
        if (tls !== "starttls") return void say("502 not here");
        say("220 go ahead");
        plain.removeAllListeners("data");
        socket = new TLSSocket(plain, { isServer: true, ...credentials });
        isEncrypted = true;
        listen();
        return;
      case "AUTH": {
        const [, given = "", secret = ""] = Buffer.from(line.split(" ")[2] ?? "", "base64")
          .toString()
          .split("\0");
        if (given !== user || secret !== password) return void say("535 5.7.8 no such pair of user and password");
        signedInAs = `${given}:${secret}`;
        return void say("235 welcome");
      }
      case "MAIL":
        if (user !== undefined && signedInAs === undefined) return void say("530 sign in first");
        from = addressIn(line);
        to = [];
        return void say("250 ok");
      case "RCPT":
        to.push(addressIn(line));
        return void say("250 ok");
      case "DATA":
        source = [];
        return void say("354 end with a dot");
      case "QUIT":
        say("221 bye");
        return void socket.end();
      default:
        return void say("250 ok");
    }
  }

  function takeData(line: string, lines: string[]): void {
    if (line !== ".") return void lines.push(line.startsWith(".") ? line.slice(1) : line);
    source = undefined;
    keep({ from, to, source: lines.join("\n"), isEncrypted, signedInAs });
    say("250 taken");
  }

  listen();
  if (!refusals.has("CONNECT")) say("220 receiver.test ready");
}

const addressIn = (line: string): string => /<([^>]*)>/.exec(line)?.[1] ?? "";
