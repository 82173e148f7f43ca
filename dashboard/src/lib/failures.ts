// Failed tasks that failed for the same reason.
import { api } from './api/client'
import type { Task } from './api/types'
import { router } from './router.svelte'
import { outcomeWords } from './states'
import { headline } from './text'

export interface Group {
  key: string
  module: string
  title: string
  message: string
  tasks: Task[]
  newest: string
  oldest: string
}

const PAGES_MAX = 10
export const LOOKED_AT_MAX = PAGES_MAX * 200

export async function readFailed(signal: AbortSignal): Promise<{ tasks: Task[]; more: boolean }> {
  const tasks: Task[] = []
  let cursor: string | undefined
  for (let page = 0; page < PAGES_MAX; page += 1) {
    const read = await api.get('/api/v1/tasks', { query: { ...router.scope, status: 'failed', limit: 200, ...(cursor ? { cursor } : {}) }, signal })
    tasks.push(...(read.tasks as unknown as Task[]))
    cursor = read.next_cursor ?? undefined
    if (cursor === undefined) break
  }
  return { tasks, more: cursor !== undefined }
}

/** Numbers and ids differ from one failure to the next although the reason is one. */
const alike = (message: string): string => headline(message, 120).replace(/[0-9a-f]{8}-[0-9a-f-]{27}|0x[0-9a-f]+|\d+/gi, '#')

export function groupsOf(tasks: Task[]): Group[] {
  const groups = new Map<string, Group>()
  for (const task of tasks) {
    const outcome = task.outcome ?? { kind: 'failed' }
    const message = String(outcome.message ?? '')
    const title = outcomeWords(outcome)
    const key = `${task.module}\n${title}\n${alike(message)}`
    const at = task.timings.ended_at ?? task.timings.created_at
    const group = groups.get(key) ?? { key, module: task.module, title, message: headline(message), tasks: [], newest: at, oldest: at }
    group.tasks.push(task)
    if (at > group.newest) group.newest = at
    if (at < group.oldest) group.oldest = at
    groups.set(key, group)
  }
  return [...groups.values()].sort((a, b) => b.tasks.length - a.tasks.length)
}
