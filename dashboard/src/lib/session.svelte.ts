// Who asks: a token that this tab keeps, and shows with every request. Where the server asks nobody, there is none.
const KEY = 'tasklane.token'

function kept(): string {
  try {
    return sessionStorage.getItem(KEY) ?? ''
  } catch {
    return ''
  }
}

class Session {
  #token = $state(kept())
  /** The server wants a token, or another one. */
  wanted = $state(false)

  get signedIn(): boolean {
    return this.#token !== ''
  }

  get headers(): Record<string, string> {
    return this.#token === '' ? {} : { Authorization: `Bearer ${this.#token}` }
  }

  /** Every answer's status comes by here. */
  saw(status: number): void {
    if (status === 401) this.wanted = true
  }

  /** Asks the server who that is; answers what is wrong, or nothing and begins anew. */
  async signIn(token: string): Promise<string> {
    const text = token.trim()
    if (!/^[\x21-\x7e]+$/.test(text)) return 'That is no token.'
    const response = await fetch('/api/v1/access/whoami', { headers: { Authorization: `Bearer ${text}` } }).catch(() => undefined)
    if (response === undefined) return 'The server cannot be reached.'
    if (!response.ok) return response.status === 401 ? 'The server does not know this token.' : `The server answered with status ${response.status}.`
    this.#keep(text)
    return ''
  }

  signOut(): void {
    this.#keep('')
  }

  #keep(token: string): void {
    if (token === '') sessionStorage.removeItem(KEY)
    else sessionStorage.setItem(KEY, token)
    location.reload()
  }
}

export const session = new Session()
