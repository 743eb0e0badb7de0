/** Never aborts: for work that is nobody's to break off. Whoever listens to it has to stop listening. */
export const NEVER: AbortSignal = new AbortController().signal
