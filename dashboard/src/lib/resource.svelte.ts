// Something that the page shows and the server knows: read at once, again when the feed tells of a change, and now and then.
import { onDestroy } from 'svelte'
import { ApiProblem } from './api/client'
import { live, restAfter, type Change } from './live.svelte'

type Every = 'live' | number | 'never'

export interface Settings<T> {
  /** Read again without an event: `live` (as often as the connection needs), a number of milliseconds, or `never`; or what says so. */
  every?: Every | (() => Every)
  /** Which changes concern it. Default: all. */
  when?: (change: Change) => boolean
  /** Whether it will not change any more. */
  done?: (data: T) => boolean
}

/** Two reads of one thing are at least this far apart, in milliseconds. */
const APART_MS = 250

export class Resource<T> {
  data = $state.raw<T | undefined>(undefined)
  problem = $state.raw<ApiProblem | undefined>(undefined)
  loading = $state(true)
  #read: (signal: AbortSignal) => Promise<T>
  #settings: Settings<T>
  #abort: AbortController | undefined
  #timer: ReturnType<typeof setTimeout> | undefined
  #readAt = 0
  /** The last two reads; one that was slow by chance is no slow server. */
  #tookMs: [number, number] = [0, 0]
  #over = false
  #wanted = false

  constructor(read: (signal: AbortSignal) => Promise<T>, settings: Settings<T> = {}) {
    this.#read = read
    this.#settings = settings
    const stop = live.listen((change) => this.#told(change))
    const seen = () => {
      if (!document.hidden && (this.#every() !== 'never' || this.problem !== undefined)) void this.refresh()
    }
    document.addEventListener('visibilitychange', seen)
    onDestroy(() => {
      this.#over = true
      stop()
      document.removeEventListener('visibilitychange', seen)
      clearTimeout(this.#timer)
      this.#abort?.abort()
    })
    void this.refresh()
  }

  #every(): Every {
    const { every = 'live' } = this.#settings
    return typeof every === 'function' ? every() : every
  }

  /** Forgets what it has and reads anew, as when the page now shows something else. */
  restart(): void {
    this.#abort?.abort()
    this.#abort = undefined
    this.data = undefined
    this.problem = undefined
    this.loading = true
    void this.refresh()
  }

  /** Reads now; while it reads already, once more after that. */
  async refresh(): Promise<void> {
    if (this.#abort !== undefined) {
      this.#wanted = true
      return
    }
    clearTimeout(this.#timer)
    const abort = new AbortController()
    this.#abort = abort
    this.#wanted = false
    const begun = performance.now()
    try {
      const data = await this.#read(abort.signal)
      if (abort.signal.aborted) return
      this.data = data
      this.problem = undefined
      live.told(true)
    } catch (error) {
      if (abort.signal.aborted) return
      this.problem = error instanceof ApiProblem ? error : new ApiProblem(-1, 'page_error', String(error))
      if (this.problem.unreachable) live.told(false)
      else if (this.problem.status > 0) live.told(true)
    }
    this.#readAt = Date.now()
    this.#tookMs = [this.#tookMs[1], performance.now() - begun]
    this.#abort = undefined
    this.loading = false
    this.#plan(this.#wanted ? this.#rest() : undefined)
  }

  /** Shows what an action answered, before the next read. */
  put(data: T): void {
    this.data = data
  }

  #told(change: Change | undefined): void {
    if (this.#every() === 'never' && change !== undefined) return
    if (change !== undefined && this.#settings.when?.(change) === false) return
    this.#plan(Math.max(0, this.#rest() - (Date.now() - this.#readAt)))
  }

  #rest(): number {
    return Math.max(APART_MS, restAfter(Math.min(...this.#tookMs)))
  }

  #plan(soon?: number): void {
    const { done } = this.#settings
    const every = this.#every()
    if (this.#over || document.hidden) return
    clearTimeout(this.#timer)
    const rests = every === 'never' || (this.data !== undefined && this.problem === undefined && done?.(this.data) === true)
    if (soon === undefined && rests && this.problem?.unreachable !== true) return
    const wait = soon ?? Math.max(this.#rest(), every === 'live' || every === 'never' ? live.interval : every)
    // Hidden meanwhile: it is read when the page is seen again.
    this.#timer = setTimeout(() => !document.hidden && void this.refresh(), wait)
  }
}
