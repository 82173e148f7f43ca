// The live feed: what changed, over server-sent events; by asking once a second where there is no feed. Best effort by design:
// views read the rows again, so that a lost event costs a moment and nothing else. Pauses while the page is hidden.

import { session } from './session.svelte'
import { events, type Told } from './stream'

export interface Ended {
  id: string
  state: string
  module: string
  queue: string
}

/** What a batch of events says. `tasks` names at most as many as the server sends at once; `more` says that there were others. */
export interface Change {
  at: string
  counts: Record<string, number>
  tasks: Ended[]
  more: boolean
}

export type Connection = 'connecting' | 'live' | 'polling' | 'offline' | 'paused'

/** Without a feed, views look this often. */
export const POLL_MS = 1_000
/** With a feed, views look this often all the same: heartbeats and other API processes' submits make no event here. */
export const LOOK_MS = 3_000
/** A read that took long is not repeated sooner than so many times its duration: who looks must not slow down who works. */
export const REST_FACTOR = 8
/** But then after this time all the same, in milliseconds. */
export const REST_MS_MAX = 10_000

/** How long to rest after a read that took this long. */
export const restAfter = (tookMs: number): number => Math.min(REST_MS_MAX, tookMs * REST_FACTOR)

/** Tries that may fail before the page goes on without a feed, and looks for it again now and then. */
const TRIES_MAX = 2
const FEED_AGAIN_MS = 15_000

class Live {
  connection = $state<Connection>('connecting')
  #listeners = new Set<(change: Change | undefined) => void>()
  #source: AbortController | undefined
  #failed = 0
  #cursor = ''
  #again: ReturnType<typeof setTimeout> | undefined
  #feed = false
  #reachable = true

  start(): void {
    this.#open()
    document.addEventListener('visibilitychange', () => (document.hidden ? this.#pause() : this.#open()))
    addEventListener('online', () => this.#open())
    addEventListener('offline', () => this.told(false))
  }

  /** Told of every change; `undefined` means that anything may have changed. Answers with what ends it. */
  listen(listener: (change: Change | undefined) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  get interval(): number {
    return this.#feed ? LOOK_MS : POLL_MS
  }

  /** Requests tell whether the server could be reached. */
  told(reachable: boolean): void {
    if (this.#reachable === reachable) return
    this.#reachable = reachable
    if (reachable && !this.#feed) this.#open()
    this.#show()
  }

  #show(): void {
    if (document.hidden) this.connection = 'paused'
    else if (!this.#reachable) this.connection = 'offline'
    else this.connection = this.#feed ? 'live' : this.#failed > TRIES_MAX ? 'polling' : 'connecting'
  }

  #pause(): void {
    this.#close()
    this.#show()
  }

  #close(): void {
    clearTimeout(this.#again)
    this.#source?.abort()
    this.#source = undefined
    this.#feed = false
  }

  #open(): void {
    if (this.#source !== undefined || document.hidden) return
    clearTimeout(this.#again)
    const source = new AbortController()
    this.#source = source
    void this.#read(source)
    this.#show()
  }

  async #read(source: AbortController): Promise<void> {
    try {
      const where = `/api/v1/events${this.#cursor === '' ? '' : `?cursor=${encodeURIComponent(this.#cursor)}`}`
      const headers = { Accept: 'text/event-stream', ...session.headers }
      const response = await fetch(where, { headers, signal: source.signal, cache: 'no-store' })
      session.saw(response.status)
      if (response.ok && response.body !== null) {
        this.#failed = 0
        this.#feed = true
        this.#reachable = true
        this.#show()
        for await (const told of events(response.body)) this.#take(told)
      }
    } catch {
      // It broke off, or was ended: what follows is the same.
    }
    if (this.#source === source) this.#ended()
  }

  #take(told: Told): void {
    const fresh = this.#cursor === ''
    this.#cursor = told.id
    if (told.name === 'tasks') this.#tell(JSON.parse(told.data) as Change)
    else if (told.name === 'resync' || (told.name === 'hello' && fresh)) this.#tell(undefined)
  }

  #ended(): void {
    const had = this.#feed
    this.#close()
    this.#failed = had ? 1 : this.#failed + 1
    this.#again = setTimeout(() => this.#open(), this.#failed > TRIES_MAX ? FEED_AGAIN_MS : 500 * this.#failed)
    this.#show()
  }

  #tell(change: Change | undefined): void {
    for (const listener of this.#listeners) listener(change)
  }
}

export const live = new Live()
