// Filters of tasks: names that the API knows, as chips on the page and as the query of the address.
import { api } from './api/client'
import { OPEN, STATES, type State, type Stats, type Task } from './api/types'

export const FILTERS = ['status', 'module', 'queue', 'label', 'namespace', 'batch', 'parent'] as const
export type FilterName = (typeof FILTERS)[number]
export type Filter = Partial<Record<FilterName, string>>

export const isFilterName = (name: string): name is FilterName => (FILTERS as readonly string[]).includes(name)

export function filterOf(query: URLSearchParams): Filter {
  const filter: Filter = {}
  for (const name of FILTERS) {
    const value = query.get(name)
    if (value !== null && value !== '') filter[name] = value
  }
  return filter
}

export const words = (filter: Filter): string =>
  Object.entries(filter).map(([name, value]) => `${name} ${value}`).join(', ') || 'every task'

/** What can be typed after a filter's name. */
export async function suggestions(seen: Task[]): Promise<Record<FilterName, string[]>> {
  const quiet = async <T>(read: Promise<T>) => read.catch(() => undefined)
  const [modules, queues, namespaces] = await Promise.all([quiet(api.get('/api/v1/modules')), quiet(api.get('/api/v1/queues')), quiet(api.get('/api/v1/namespaces'))])
  const distinct = (values: (string | null | undefined)[]) => [...new Set(values.filter((value) => value != null && value !== ''))] as string[]
  return {
    status: [...STATES],
    module: distinct(modules?.modules.map((one) => one.name) ?? []),
    queue: distinct(queues?.queues.map((one) => one.name) ?? []),
    label: distinct(seen.flatMap((task) => Object.entries(task.labels ?? {}).map(([key, value]) => `${key}:${value}`))).slice(0, 50),
    namespace: distinct(namespaces?.namespaces.map((one) => one.name) ?? seen.map((task) => task.namespace)),
    batch: distinct(seen.map((task) => task.batch)).slice(0, 20),
    parent: distinct(seen.map((task) => task.parent)).slice(0, 20),
  }
}

/** Beyond this, "more than" is said: each 200 cost a request. */
export const COUNTED_MAX = 20_000
const PAGE = 200

async function countPages(filter: Filter, room: number): Promise<number> {
  let [sum, cursor] = [0, undefined as string | undefined]
  do {
    const page = await api.get('/api/v1/tasks', { query: { ...filter, limit: PAGE, ...(cursor ? { cursor } : {}) } })
    sum += page.tasks.length
    cursor = page.next_cursor ?? undefined
  } while (cursor !== undefined && sum < room)
  return sum
}

/** How many tasks match and are in one of `states`; `more` says that counting was given up. */
export async function countMatching(filter: Filter, states: State[]): Promise<{ count: number; more: boolean }> {
  const wanted = filter.status ? states.filter((state) => state === filter.status) : states
  const { status: _, ...rest } = filter
  const names = Object.keys(rest)
  const sum = (counts: Record<string, number>) => wanted.reduce((all, state) => all + (counts[state] ?? 0), 0)
  if (names.length === 0) {
    const stats: Stats = await api.get('/api/v1/cluster/stats')
    return { count: sum(stats.states), more: false }
  }
  if (names.length === 1 && rest.batch !== undefined) {
    const batch = await api.get('/api/v1/batches/{id}', { path: { id: rest.batch } })
    return { count: sum(batch.states), more: false }
  }
  let all = 0
  for (const state of wanted) {
    if (all >= COUNTED_MAX) break
    all += await countPages({ ...rest, status: state }, COUNTED_MAX - all)
  }
  return { count: all, more: all >= COUNTED_MAX }
}

export const CANCELLABLE: State[] = OPEN
export const RETRYABLE: State[] = ['failed', 'cancelled', 'expired']
