// A live instance: `taskctl dev` with a data directory of its own, and Vite's preview in front where the program has no dashboard, or
// where `DASHBOARD_PREVIEW=1` asks for what lies in `dist`.
import { spawn, type ChildProcess } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { preview, type PreviewServer } from 'vite'
import { Work } from './work.mjs'

const root = new URL('../../', import.meta.url).pathname
const STARTED_S = 60

const freePort = () =>
  new Promise<number>((resolve, reject) => {
    const server = createServer()
    server.on('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const address = server.address()
      server.close(() => (address !== null && typeof address === 'object' ? resolve(address.port) : reject(new Error('no port'))))
    })
  })

export const program = () => {
  const found = [process.env.TASKCTL, join(root, 'target/release/taskctl'), join(root, 'bin/taskctl')].find((path) => path && existsSync(path))
  if (!found) throw new Error('there is no taskctl: build it (cargo build --release -p taskctl), or set TASKCTL')
  return found
}

export class Instance {
  /** Where the API is. */
  readonly server: string
  /** Where the dashboard is. */
  url = ''
  readonly work: Work
  #child: ChildProcess | undefined
  #front: PreviewServer | undefined

  private constructor(
    readonly dir: string,
    readonly port: number,
  ) {
    this.server = `http://127.0.0.1:${port}`
    this.work = new Work(this.server)
  }

  static async start(): Promise<Instance> {
    const one = new Instance(await mkdtemp(join(tmpdir(), 'tasklane-dashboard-')), await freePort())
    await one.up()
    await one.#show()
    return one
  }

  async up(): Promise<void> {
    const nats = [process.env.TASKLANE_NATS_SERVER, join(root, '.tools/bin/nats-server')].find((path) => path && existsSync(path))
    const env = { ...process.env, ...(nats ? { TASKLANE_NATS_SERVER: nats } : {}) }
    const args = ['dev', '--data-dir', this.dir, '--listen', `127.0.0.1:${this.port}`, '--sandbox', 'off', '--log', 'warn']
    const child = spawn(program(), args, { env, stdio: ['ignore', 'ignore', 'pipe'] })
    let said = ''
    child.stderr?.on('data', (text) => (said = (said + String(text)).slice(-4_000)))
    this.#child = child
    const alive = async () => {
      if (child.exitCode !== null) throw new Error(`taskctl dev ended with ${child.exitCode}: ${said}`)
      const info = await this.work.get('/api/v1/cluster/info').catch(() => undefined)
      return info?.leader && info.hosts > 0
    }
    await this.work.until('the instance is up', alive, STARTED_S)
  }

  async down(): Promise<void> {
    const child = this.#child
    if (child === undefined || child.exitCode !== null) return
    const ended = new Promise((resolve) => child.once('exit', resolve))
    child.kill('SIGTERM')
    await ended
  }

  async stop(): Promise<void> {
    await this.#front?.close()
    await this.down()
    await rm(this.dir, { recursive: true, force: true })
  }

  async #show(): Promise<void> {
    const page = await (await fetch(this.server, { headers: { Accept: 'text/html' } })).text()
    if (page.includes('/assets/') && process.env.DASHBOARD_PREVIEW !== '1') {
      this.url = this.server
      return
    }
    process.env.TASKLANE_SERVER = this.server
    this.#front = await preview({ root: join(root, 'dashboard'), logLevel: 'error', preview: { port: await freePort(), host: '127.0.0.1' } })
    this.url = this.#front.resolvedUrls?.local[0]?.replace(/\/$/, '') ?? ''
  }
}
