// Asks before something is done that cannot be undone.

export interface Question {
  title: string
  words: string
  action: string
  danger?: boolean
  /** What must be typed first, where it matters most. */
  type?: string
}

class Confirm {
  question = $state.raw<Question | undefined>(undefined)
  #answer: ((yes: boolean) => void) | undefined

  ask(question: Question): Promise<boolean> {
    this.#answer?.(false)
    this.question = question
    return new Promise((resolve) => (this.#answer = resolve))
  }

  answer(yes: boolean): void {
    this.question = undefined
    this.#answer?.(yes)
    this.#answer = undefined
  }
}

export const confirm = new Confirm()
