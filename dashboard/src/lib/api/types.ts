// Names for what the API answers, with the shapes that the OpenAPI document leaves open (`Object`) filled in.
import type { components } from './schema'

type Schemas = components['schemas']

export const STATES = [
  'scheduled', 'blocked', 'queued', 'running', 'retrying', 'succeeded', 'failed', 'cancelled', 'expired',
] as const
export type State = (typeof STATES)[number]
export const OPEN: State[] = ['scheduled', 'blocked', 'queued', 'running', 'retrying']
export const isOpen = (state: string): boolean => (OPEN as string[]).includes(state)

export interface Outcome {
  kind: string
  code?: string | number
  message?: string
  details?: string
  retryability?: string
  bound?: string
  bytes?: number
  deliveries?: number
  on?: string
  state?: string
  [more: string]: unknown
}

export interface Usage {
  fuel: number
  cpu_us: number
  wall_us: number
  peak_memory_bytes: number
  input_bytes: number
  output_bytes: number
  log_bytes: number
}

export interface Limits {
  fuel: number
  timeout_ms: number
  memory_bytes: number
  output_bytes: number
  log_bytes: number
  http_requests: number
  http_request_bytes: number
  http_response_bytes: number
}

export interface LogLine {
  offset_ms: number
  source: string
  level: string
  message: string
}

export interface Retry {
  max_attempts: number
  backoff: string
  backoff_ms: number
  factor: number
  backoff_ms_max: number
  jitter: number
}

export type Task = Omit<
  Schemas['TaskView'],
  'outcome' | 'usage' | 'progress' | 'limits' | 'retry' | 'concurrency' | 'rate' | 'state'
> & {
  state: State
  outcome?: Outcome
  usage?: Usage
  progress?: { fraction: number; message: string }
  limits: Limits
  retry: Retry
  concurrency?: { key: string; max: number }
  rate?: Record<string, unknown>
}

export type Attempt = Omit<Schemas['AttemptView'], 'outcome' | 'usage' | 'log_tail'> & {
  outcome: Outcome
  usage: Usage
  log_tail?: LogLine[]
}

export type Log = Omit<Schemas['LogView'], 'lines'> & { lines: LogLine[] }

export interface JsonSchema {
  type?: string | string[]
  title?: string
  description?: string
  properties?: Record<string, JsonSchema>
  required?: string[]
  items?: JsonSchema
  enum?: unknown[]
  const?: unknown
  default?: unknown
  examples?: unknown[]
  minimum?: number
  maximum?: number
  minLength?: number
  maxLength?: number
  pattern?: string
  format?: string
}

export interface Permissions {
  enqueue?: string[]
  http?: string[]
  kv?: string[]
  secrets?: string[]
}

export interface Manifest {
  name: string
  version: string
  description?: string
  queue?: string
  priority?: number
  limits: Partial<Limits>
  retry: Partial<Retry>
  input?: JsonSchema
  output?: JsonSchema
  flow?: { max?: number; rate?: string }
  config?: Record<string, string>
  command?: { args?: string[]; env?: Record<string, string> }
  permissions?: Permissions
}

export type Module = Omit<Schemas['ModuleView'], 'manifest'> & { manifest: Manifest }
export type Route = Required<Schemas['RouteBody']>
export type Alias = Omit<Schemas['AliasView'], 'routes' | 'previous'> & { routes: Route[]; previous?: Route[] }
export type Diff = Schemas['ModuleDiff']
export type ModuleEvent = { at: string; action: string; [more: string]: unknown }

export interface Host {
  id: string
  name: string
  pid: number
  version: string
  status: string
  slots: number
  slots_max?: number
  running: number
  buffered: number
  queues: string[]
  ended_total: number
  memory_bytes: number
  started_at: string
  beat_at: string
}

export type Queue = Schemas['QueueView']
export type Lane = Schemas['LaneView']
export type Stats = Schemas['ClusterStats']
export type Cluster = Omit<Schemas['ClusterInfo'], 'leader' | 'limits'> & {
  leader?: { scheduler: string; term?: number; since: string } | null
  limits: { default: Limits; max: Limits }
}
export type Bulk = Schemas['OperationView']
export type Firing = Schemas['FiringView']
export type Schedule = Omit<Schemas['ScheduleView'], 'task'> & {
  task: { module: string; version?: string; alias?: string; queue: string; priority: number; labels?: Record<string, string> }
}
export type Graph = Omit<Schemas['GraphView'], 'nodes'> & { nodes: GraphNode[] }
export type GraphNode = { id: string; name?: string; module: string; state: State; outcome?: Outcome }
export type Batch = Schemas['BatchView']
