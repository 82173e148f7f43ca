// Bulk operations that somebody began here: followed until they are done, and shown with their progress.
import { api } from './api/client'
import type { Bulk } from './api/types'
import { toasts } from './toast.svelte'

/** One that the page itself carries out, task by task, looks the same. */
export interface Followed {
  id: string
  title: string
  total: number
  done: number
  skipped: number
  state: 'running' | 'done'
}

const LOOK_MS = 250
const STAYS_MS = 8_000
/** Requests of one operation that are under way at once. */
const AT_ONCE = 8

class Operations {
  all = $state<Followed[]>([])

  follow(begun: Bulk, title: string): void {
    this.#show({ ...begun, title, state: begun.state === 'done' ? 'done' : 'running' })
    void this.#look(begun.id, title)
  }

  /** Does `one` to each of `items`, several at a time. */
  async each<T>(title: string, items: T[], one: (item: T) => Promise<unknown>): Promise<void> {
    const mine: Followed = { id: crypto.randomUUID?.() ?? String(Math.random()), title, total: items.length, done: 0, skipped: 0, state: 'running' }
    this.#show(mine)
    const waiting = items.values()
    const lane = async () => {
      for (const item of waiting) {
        try {
          await one(item)
          mine.done += 1
        } catch {
          mine.skipped += 1
        }
        this.#show({ ...mine })
      }
    }
    await Promise.all(Array.from({ length: AT_ONCE }, lane))
    this.#end({ ...mine, state: 'done' })
  }

  drop(id: string): void {
    this.all = this.all.filter((one) => one.id !== id)
  }

  async #look(id: string, title: string): Promise<void> {
    for (;;) {
      await new Promise((resolve) => setTimeout(resolve, LOOK_MS))
      try {
        const now = (await api.get('/api/v1/operations/{id}', { path: { id } })) as Bulk
        if (now.state === 'done') return this.#end({ ...now, title, state: 'done' })
        this.#show({ ...now, title, state: 'running' })
      } catch (error) {
        if ((error as { unreachable?: boolean }).unreachable !== true) {
          toasts.wrong(error)
          return this.drop(id)
        }
      }
    }
  }

  #show(one: Followed): void {
    const known = this.all.some((other) => other.id === one.id)
    this.all = known ? this.all.map((other) => (other.id === one.id ? one : other)) : [...this.all, one]
  }

  #end(one: Followed): void {
    this.#show(one)
    setTimeout(() => this.drop(one.id), STAYS_MS)
  }
}

export const operations = new Operations()
