import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** A server of a test's own, with a data directory that outlives its processes. */
export class OwnServer {
  private readonly data = mkdtempSync(join(tmpdir(), "agentweaver-own-"));
  private process: ChildProcess | undefined;
  private port = 0;

  constructor(private readonly options: string[] = []) {}

  get address(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  /** Starts, or starts again at the same address. */
  async start() {
    const binary = process.env.AGENTWEAVER ?? "../target/debug/agentweaver";
    const env = { ...process.env, AGENTWEAVER_DATA: this.data };
    this.process = spawn(binary, ["serve", "--listen", `127.0.0.1:${this.port}`, ...this.options], { env });
    const { stdout, stderr } = this.process;
    this.port = await new Promise((resolve, reject) => {
      const read = (piece: Buffer) => {
        const said = /127\.0\.0\.1:(\d+)/.exec(String(piece));
        if (said) resolve(Number(said[1]));
      };
      stdout!.on("data", read);
      stderr!.on("data", read);
      this.process!.on("exit", (code) => reject(new Error(`the server ended with ${code}`)));
    });
  }

  /** As a crash would. */
  async kill() {
    if (!this.process || this.process.exitCode !== null) return;
    const gone = once(this.process, "exit");
    this.process.kill("SIGKILL");
    await gone;
  }
}
