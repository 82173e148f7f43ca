// What states and outcomes look like: their tone, and in words.
import type { Outcome } from './api/types'

export type Tone = 'ok' | 'bad' | 'warn' | 'run' | 'wait' | 'idle' | 'accent'

const TONES: Record<string, Tone> = {
  scheduled: 'wait', blocked: 'wait', queued: 'idle', running: 'run', retrying: 'warn',
  succeeded: 'ok', failed: 'bad', cancelled: 'idle', expired: 'warn',
}

export const toneOf = (state: string): Tone => TONES[state] ?? 'idle'

const WORDS: Record<string, string> = {
  ok: 'Succeeded', task_error: 'The task reported an error', out_of_fuel: 'Out of fuel', timed_out: 'Timed out',
  out_of_memory: 'Out of memory', stack_overflow: 'Stack overflow', output_too_large: 'Result too large', trap: 'Crashed',
  exit_code: 'Exited', cancelled: 'Cancelled', expired: 'The deadline passed before a start', host_lost: 'Its hosts were lost',
  host_error: 'The host could not run it', quarantined: 'The module is quarantined', dependency_failed: 'A dependency failed',
  skipped: 'Skipped, since a dependency failed', input_unresolved: 'Its input could not be put together',
}

export const outcomeWords = (outcome: Outcome): string => {
  const words = WORDS[outcome.kind] ?? outcome.kind.replaceAll('_', ' ')
  if (outcome.kind === 'exit_code') return `${words} with ${outcome.code ?? '?'}`
  return outcome.kind === 'task_error' && outcome.code ? `${words}: ${outcome.code}` : words
}

export const outcomeTone = (outcome: Outcome): Tone =>
  outcome.kind === 'ok' ? 'ok' : outcome.kind === 'cancelled' || outcome.kind === 'skipped' ? 'idle' : outcome.kind === 'expired' ? 'warn' : 'bad'
