// Everything that the overview shows, read together; the server's history if it keeps one, else what this page has seen.
import { api, ApiProblem, send } from './api/client'
import type { Cluster, Host, Lane, Module, Queue, Stats, Task } from './api/types'
import { precise } from './clock.svelte'
import { duration, plural, quantile } from './format'

/** What ended in one second. */
export interface Second {
  at: number
  succeeded: number
  failed: number
  other: number
}

export interface Times {
  p50: number
  p95: number
  p99: number
}

export interface Overview {
  cluster: Cluster
  states: Record<string, number>
  lanes: Lane[]
  queues: Queue[]
  hosts: Host[]
  health: { status: string; checks: Record<string, string> }
}

/** How long the charts look back, in seconds. */
export const HISTORY_S = 300

async function health(signal: AbortSignal): Promise<Overview['health']> {
  try {
    return (await (await send('get', '/health', { signal })).json()) as Overview['health']
  } catch (error) {
    if (error instanceof ApiProblem && error.status === 503) return { status: 'unavailable', checks: { database: 'away' } }
    throw error
  }
}

/** Hosts are unknown while NATS is away; the rest is read all the same. */
export async function readOverview(signal: AbortSignal): Promise<Overview> {
  const [cluster, stats, queues, hosts, well] = await Promise.all([
    api.get('/api/v1/cluster/info', { signal }) as unknown as Promise<Cluster>,
    api.get('/api/v1/cluster/stats', { signal }) as Promise<Stats>,
    api.get('/api/v1/queues', { signal }),
    (api.get('/api/v1/hosts', { signal }) as unknown as Promise<{ hosts: Host[] }>).catch(() => ({ hosts: [] as Host[] })),
    health(signal),
  ])
  return { cluster, states: stats.states, lanes: stats.lanes, queues: queues.queues, hosts: hosts.hosts, health: well }
}

/** Throughput by the second: the server's own seconds, or differences of its counts. */
export class History {
  seconds = $state.raw<Second[]>([])
  /** Since when it is known what ended, in seconds. */
  since = $state(Math.floor(Date.now() / 1_000))
  #last: { at: number; states: Record<string, number> } | undefined
  #fromServer: boolean | undefined

  /** Takes the server's history, if it has one. */
  async load(signal: AbortSignal): Promise<void> {
    if (this.#fromServer === false) return
    try {
      const answer = await send('get', `/api/v1/history?seconds=${HISTORY_S}`, { signal })
      const { seconds, since } = (await answer.json()) as { since: string; seconds: { at: string; ended: Record<string, number> }[] }
      this.#fromServer = true
      this.since = Date.parse(since) / 1_000
      this.seconds = seconds.map(({ at, ended }) => {
        const { succeeded = 0, failed = 0, ...rest } = ended
        return { at: Date.parse(at) / 1_000, succeeded, failed, other: Object.values(rest).reduce((sum, one) => sum + one, 0) }
      })
    } catch (error) {
      if (error instanceof ApiProblem && error.status === 404) this.#fromServer = false
      else throw error
    }
  }

  /** Where the server keeps none: what ended since the last look, spread over the seconds between. */
  note(states: Record<string, number>, now = Date.now()): void {
    if (this.#fromServer === true) return
    const before = this.#last
    if (before !== undefined && now - before.at < 900) return
    this.#last = { at: now, states }
    if (before === undefined) return
    const passed = Math.max(1, Math.round((now - before.at) / 1_000))
    const grown = (state: string) => Math.max(0, (states[state] ?? 0) - (before.states[state] ?? 0)) / passed
    const until = Math.floor(now / 1_000)
    const fresh = Array.from({ length: Math.min(passed, HISTORY_S) }, (_, back) => ({
      at: until - (Math.min(passed, HISTORY_S) - 1 - back),
      succeeded: grown('succeeded'),
      failed: grown('failed'),
      other: grown('cancelled') + grown('expired'),
    }))
    this.seconds = [...this.seconds.filter((one) => one.at < (fresh[0]?.at ?? 0)), ...fresh].slice(-HISTORY_S)
  }

  /** Ends a second over the newest `seconds` whole ones, and which part of them failed. */
  rates(seconds: number, now = Date.now() / 1_000): { ended: number; failed: number; failedPart: number } {
    const since = now - seconds
    const recent = this.seconds.filter((one) => one.at >= since)
    const sum = (what: (one: Second) => number) => recent.reduce((all, one) => all + what(one), 0)
    const known = Math.max(1, Math.min(seconds, now - this.since))
    const [ended, failed] = [sum((one) => one.succeeded + one.failed + one.other), sum((one) => one.failed)]
    return { ended: ended / known, failed, failedPart: ended === 0 ? 0 : failed / ended }
  }
}

/** Percentiles of the newest tasks that ended. */
export function timesOf(values: number[]): Times | undefined {
  const sorted = values.toSorted((a, b) => a - b)
  const [p50, p95, p99] = [quantile(sorted, 0.5), quantile(sorted, 0.95), quantile(sorted, 0.99)]
  return p50 === undefined || p95 === undefined || p99 === undefined ? undefined : { p50, p95, p99 }
}

export const ranMs = (task: Task): number | undefined =>
  task.timings.started_at && task.timings.ended_at ? Math.max(0, precise(task.timings.ended_at) - precise(task.timings.started_at)) : undefined

export interface Warning {
  tone: 'bad' | 'warn'
  title: string
  words: string
  href?: string
}

const OLD_MS = 60_000
const FAILED_PART = 0.1
const FAILED_MIN = 5

/** What somebody should look at; nothing that mends itself within a moment. */
export function warningsOf(now: Overview, rates: { failed: number; failedPart: number }, modules: Module[], time = Date.now()): Warning[] {
  const found: Warning[] = []
  const queued = now.states.queued ?? 0
  const take = (tone: Warning['tone'], title: string, words: string, href?: string) => found.push({ tone, title, words, ...(href ? { href } : {}) })
  if (now.health.checks.database !== 'ok') take('bad', 'The database does not answer', 'Nothing can be submitted or settled until it does.', '/system')
  if (!now.cluster.nats_connected) take('bad', 'NATS is away', 'Tasks are accepted and wait; hosts get them when it is back.', '/system')
  else if (!now.cluster.leader) take('bad', 'No scheduler leads', 'Nothing that waits for a time, a retry or another task moves on.', '/system')
  const active = now.hosts.filter((host) => host.status === 'active')
  if (now.cluster.nats_connected && active.length === 0) take(queued > 0 ? 'bad' : 'warn', 'No host takes work', queued > 0 ? `${plural(queued, 'task')} queued, and nobody runs them.` : 'The next task will wait until one is there.', '/hosts')
  for (const queue of now.queues) {
    const served = active.some((host) => host.queues.includes(queue.name))
    if (active.length > 0 && queue.queued > 0 && !queue.paused_at && !served) take('bad', `Nobody serves the queue ${queue.name}`, `${plural(queue.queued, 'task')} in it.`, `/tasks?queue=${queue.name}&status=queued`)
    if (queue.paused_at && queue.queued > 0) take('warn', `The queue ${queue.name} is paused`, `${plural(queue.queued, 'task')} in it.`, '/queues')
    const age = queue.oldest_queued_at ? time - Date.parse(queue.oldest_queued_at) : 0
    if (served && !queue.paused_at && age > OLD_MS && queue.queued > queue.held) take('warn', `The queue ${queue.name} is behind`, `Its oldest task has waited ${duration(age)}.`, `/tasks?queue=${queue.name}&status=queued`)
  }
  if (rates.failed >= FAILED_MIN && rates.failedPart >= FAILED_PART) take('warn', `${Math.round(rates.failedPart * 100)} % of what ended failed`, 'Over the last five minutes.', '/dead-letters')
  for (const module of modules.filter((one) => one.quarantined_at)) take('bad', `${module.name}@${module.version} is quarantined`, 'Hosts died while they ran it.', `/modules/${module.name}`)
  return found
}
