// Pages of tasks, the newest first, for a list that is drawn only where one looks. At the top it follows what is new; further
// down nothing moves: what is in sight is read again in place, and the list says that there is something new above.
import { onDestroy } from 'svelte'
import { api, ApiProblem } from './api/client'
import type { Task } from './api/types'
import type { Filter } from './filter'
import { live, restAfter } from './live.svelte'

const PAGE = 200
/** Rows that are read again and again while one looks at the top. */
const TOP = 100
const APART_MS = 250
/** Rows that are read before they come into sight. */
const AHEAD = 60

interface Page {
  cursor: string | undefined
  from: number
}

export class TaskList {
  rows = $state.raw<Task[]>([])
  problem = $state.raw<ApiProblem | undefined>(undefined)
  loading = $state(true)
  newer = $state(false)
  /** Rows in sight; set by the list. */
  sight: { from: number; to: number; top: boolean } = { from: 0, to: 0, top: true }
  #filter: Filter = {}
  #pages: Page[] = []
  #next: string | undefined
  #life = 0
  #busy = false
  #timer: ReturnType<typeof setTimeout> | undefined
  #readAt = 0
  /** The last two reads; one that was slow by chance is no slow server. */
  #tookMs: [number, number] = [0, 0]

  constructor() {
    const stop = live.listen(() => this.#plan(Math.max(0, this.#rest() - (Date.now() - this.#readAt))))
    const seen = () => !document.hidden && this.#plan(0)
    document.addEventListener('visibilitychange', seen)
    onDestroy(() => {
      this.#life += 1
      stop()
      document.removeEventListener('visibilitychange', seen)
      clearTimeout(this.#timer)
    })
  }

  get hasMore(): boolean {
    return this.#next !== undefined
  }

  show(filter: Filter): void {
    this.#filter = filter
    this.#life += 1
    this.#busy = false
    this.rows = []
    this.#pages = []
    this.#next = undefined
    this.loading = true
    this.problem = undefined
    void this.refresh()
  }

  /** Begins again at the top. */
  async toTop(): Promise<void> {
    this.sight = { ...this.sight, from: 0, top: true }
    await this.refresh()
  }

  /** Reads on, if the end of what is read is near; called whenever that may have become so. */
  async more(): Promise<void> {
    const cursor = this.#next
    if (cursor === undefined || this.#busy || this.sight.to + AHEAD < this.rows.length) return
    await this.#during(async () => {
      const page = await this.#read(cursor)
      const known = new Set(this.rows.map((task) => task.id))
      this.#pages.push({ cursor, from: this.rows.length })
      this.rows = [...this.rows, ...page.tasks.filter((task) => !known.has(task.id))]
      this.#next = page.next
    })
  }

  async refresh(): Promise<void> {
    if (this.#busy) return this.#plan(APART_MS)
    const begun = performance.now()
    await this.#during(() => (this.sight.top || this.rows.length === 0 ? this.#readTop() : this.#readSight()))
    this.#tookMs = [this.#tookMs[1], performance.now() - begun]
    this.#readAt = Date.now()
    this.#plan(Math.max(this.#rest(), live.interval))
  }

  #rest(): number {
    return Math.max(APART_MS, restAfter(Math.min(...this.#tookMs)))
  }

  #plan(wait: number): void {
    clearTimeout(this.#timer)
    if (!document.hidden) this.#timer = setTimeout(() => !document.hidden && void this.refresh(), wait)
  }

  async #during(what: () => Promise<void>): Promise<void> {
    const life = this.#life
    this.#busy = true
    try {
      await what()
      if (life === this.#life) this.problem = undefined
      live.told(true)
    } catch (error) {
      if (life !== this.#life) return
      this.problem = error instanceof ApiProblem ? error : new ApiProblem(-1, 'page_error', String(error))
      if (this.problem.unreachable) live.told(false)
    } finally {
      if (life === this.#life) {
        this.#busy = false
        this.loading = false
        // What was asked for meanwhile; after a failure, the next look asks again.
        if (this.problem === undefined) void this.more()
      }
    }
  }

  async #read(cursor: string | undefined, limit = PAGE): Promise<{ tasks: Task[]; next: string | undefined }> {
    const life = this.#life
    const page = await api.get('/api/v1/tasks', { query: { ...this.#filter, limit, ...(cursor ? { cursor } : {}) } })
    if (life !== this.#life) throw new DOMException('The list shows something else now', 'AbortError')
    return { tasks: page.tasks as unknown as Task[], next: page.next_cursor ?? undefined }
  }

  async #readTop(): Promise<void> {
    const page = await this.#read(undefined, TOP)
    this.rows = page.tasks
    this.#pages = [{ cursor: undefined, from: 0 }]
    this.#next = page.next
    this.newer = false
  }

  async #readSight(): Promise<void> {
    const middle = Math.floor((this.sight.from + this.sight.to) / 2)
    const page = this.#pages.findLast((one) => one.from <= middle) ?? { cursor: undefined, from: 0 }
    const [fresh, newest] = await Promise.all([this.#read(page.cursor), this.#read(undefined, 1)])
    const byId = new Map(fresh.tasks.map((task) => [task.id, task]))
    this.rows = this.rows.map((task) => byId.get(task.id) ?? task)
    this.newer = newest.tasks[0] !== undefined && newest.tasks[0].id !== this.rows[0]?.id
  }
}
