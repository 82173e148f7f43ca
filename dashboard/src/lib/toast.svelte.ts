// Short messages about what an action came to.
import { ApiProblem } from './api/client'

export interface Toast {
  id: number
  tone: 'ok' | 'bad'
  text: string
  hint: string
  href?: string
}

const SHOWN_MS = 6_000
const TOASTS_MAX = 4

class Toasts {
  all = $state<Toast[]>([])
  #next = 1

  say(text: string, href?: string): void {
    this.#put({ id: this.#next++, tone: 'ok', text, hint: '', ...(href === undefined ? {} : { href }) }, SHOWN_MS)
  }

  wrong(error: unknown): void {
    const problem = error instanceof ApiProblem ? error : undefined
    this.#put({ id: this.#next++, tone: 'bad', text: problem?.detail ?? String(error), hint: problem?.hint ?? '' }, SHOWN_MS * 2)
  }

  drop(id: number): void {
    this.all = this.all.filter((toast) => toast.id !== id)
  }

  #put(toast: Toast, ms: number): void {
    this.all = [...this.all, toast].slice(-TOASTS_MAX)
    setTimeout(() => this.drop(toast.id), ms)
  }
}

export const toasts = new Toasts()

/** Runs an action, says what it came to, and whether it went well. */
export async function act(what: () => Promise<unknown>, said?: string): Promise<boolean> {
  try {
    await what()
    if (said !== undefined) toasts.say(said)
    return true
  } catch (error) {
    toasts.wrong(error)
    return false
  }
}
