// What a running guest says, as it says it: asked for by cursor, so that each line comes once, also when the server was away.
import { onDestroy } from 'svelte'
import { api } from './api/client'
import type { Log, LogLine } from './api/types'
import { live } from './live.svelte'

/** Between two looks at a log that grows, and at one that does not, in milliseconds. */
const BUSY_MS = 200
const QUIET_MS = 500
/** Before a server that did not answer is asked again. */
const AWAY_MS = 2_000
/** Lines that are kept; the oldest go first. The log of an attempt that has ended is read whole. */
const LINES_MAX = 5_000

/** What is known of a running attempt's log. */
export interface LiveLog extends Log {
  /** Lines that the page no longer has. */
  passed: number
}

export class LogFollower {
  log = $state.raw<LiveLog | undefined>(undefined)
  #id: string
  #attempt = 0
  #cursor = ''
  #life = 0
  #timer: ReturnType<typeof setTimeout> | undefined

  constructor(id: string) {
    this.#id = id
    const seen = () => this.#attempt > 0 && this.#plan(0)
    document.addEventListener('visibilitychange', seen)
    onDestroy(() => {
      document.removeEventListener('visibilitychange', seen)
      this.stop()
    })
  }

  /** Follows an attempt that runs, from its first line. */
  start(attempt: number): void {
    if (this.#attempt === attempt) return
    this.stop()
    this.#attempt = attempt
    this.#cursor = `${attempt}.0`
    this.#plan(0)
  }

  /** What was said stays. */
  stop(): void {
    this.#attempt = 0
    this.#life += 1
    clearTimeout(this.#timer)
  }

  /** The whole log is known from elsewhere. */
  forget(): void {
    if (this.#attempt === 0) this.log = undefined
  }

  #plan(wait: number): void {
    clearTimeout(this.#timer)
    if (!document.hidden) this.#timer = setTimeout(() => !document.hidden && void this.#look(), wait)
  }

  async #look(): Promise<void> {
    const life = this.#life
    try {
      const said = await api.get('/api/v1/tasks/{id}/logs/live', { path: { id: this.#id }, query: { after: this.#cursor } })
      if (life !== this.#life) return
      live.told(true)
      this.#cursor = said.cursor
      const lines = said.lines as unknown as LogLine[]
      this.#take(said.attempt, lines, said.dropped_lines)
      if (!said.ended) this.#plan(lines.length > 0 ? BUSY_MS : QUIET_MS)
    } catch {
      // Whether the server is away is told by what reads the task.
      if (life === this.#life) this.#plan(AWAY_MS)
    }
  }

  #take(attempt: number, lines: LogLine[], dropped: number): void {
    const before = this.log?.attempt === attempt ? this.log : { attempt, lines: [], dropped_lines: 0, dropped_bytes: 0, passed: 0 }
    if (before === this.log && lines.length === 0 && dropped === 0) return
    const all = [...before.lines, ...lines]
    const passed = Math.max(0, all.length - LINES_MAX)
    this.log = { ...before, lines: all.slice(passed), dropped_lines: before.dropped_lines + dropped, passed: before.passed + passed }
  }
}
