// A task as the request that would submit it again: for curl, for taskctl and for the form.
import { text } from './api/client'
import type { Task } from './api/types'
import { shell } from './text'

export interface Payload {
  kind: 'json' | 'text' | 'bytes'
  text: string
  bytes: number
}

export async function payloadOf(id: string, signal?: AbortSignal): Promise<Payload> {
  const read = await text(`/api/v1/tasks/${encodeURIComponent(id)}/payload`, signal)
  const kind = read.type.startsWith('application/json') ? 'json' : read.type.startsWith('text/') ? 'text' : 'bytes'
  return { kind, text: read.text, bytes: read.bytes }
}

const given = (task: Task): Record<string, unknown> => ({
  module: `${task.module}@${task.alias ?? task.version}`,
  queue: task.queue,
  priority: task.priority,
  ...(task.labels && Object.keys(task.labels).length > 0 ? { labels: task.labels } : {}),
  ...(task.namespace && task.namespace !== 'default' ? { namespace: task.namespace } : {}),
})

/** The request's body. A JSON payload keeps its own text, with every digit. */
export function bodyOf(task: Task, payload: Payload): string {
  const rest = JSON.stringify(given(task)).slice(0, -1)
  if (payload.kind === 'json') return `${rest},"payload":${payload.text.trim()}}`
  return payload.kind === 'text' && payload.text !== '' ? `${rest},"payload_text":${JSON.stringify(payload.text)}}` : `${rest}}`
}

export function curlOf(task: Task, payload: Payload): string {
  const server = location.origin
  if (payload.kind === 'bytes' && payload.bytes > 0) {
    return `curl -sS -X POST ${server}/api/v1/tasks/${task.id}/retry -H 'Content-Type: application/json' -d '{}'`
  }
  return `curl -sS ${server}/api/v1/tasks -H 'Content-Type: application/json' -d ${shell(bodyOf(task, payload))}`
}

export function taskctlOf(task: Task, payload: Payload): string {
  const words = ['taskctl', '--server', location.origin, 'submit', `${task.module}@${task.alias ?? task.version}`]
  if (payload.kind === 'json') words.push('--input', payload.text.trim())
  words.push('--queue', task.queue, '--priority', String(task.priority))
  for (const [key, value] of Object.entries(task.labels ?? {})) words.push('--label', `${key}=${value}`)
  if (task.namespace && task.namespace !== 'default') words.push('--namespace', task.namespace)
  const line = words.map(shell).join(' ')
  if (payload.kind === 'json' || payload.bytes === 0) return line
  return `curl -sS ${location.origin}/api/v1/tasks/${task.id}/payload | ${line} --input -`
}
