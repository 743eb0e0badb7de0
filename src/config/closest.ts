/** More slips than these make another word. */
const DISTANCE_MAX = 3

/** The name that `word` was probably meant to be, for a message; undefined if none is near. Dashes don't count. */
export function closest(word: string, names: readonly string[]): string | undefined {
  const plain = (text: string) => text.toLowerCase().replaceAll(/[-_]/g, '')
  const max = Math.min(DISTANCE_MAX, Math.floor(word.length / 3))
  const [best] = names
    .map((name) => ({ name, distance: distance(plain(word), plain(name)) }))
    .filter((found) => found.distance <= max)
    .sort((a, b) => a.distance - b.distance)
  return best?.name
}

/** How many letters to put in, leave out or change, or neighbours to swap, make one word of another. */
function distance(from: string, to: string): number {
  const rows = [Array.from({ length: to.length + 1 }, (_, column) => column)]
  const at = (row: number, column: number) => rows[row]?.[column] ?? Number.POSITIVE_INFINITY
  for (let row = 1; row <= from.length; row++) {
    rows[row] = [row]
    for (let column = 1; column <= to.length; column++) {
      const change = from[row - 1] === to[column - 1] ? 0 : 1
      const isSwap = from[row - 2] === to[column - 1] && from[row - 1] === to[column - 2]
      const swapped = isSwap ? at(row - 2, column - 2) + 1 : Number.POSITIVE_INFINITY
      const others = [at(row - 1, column) + 1, at(row, column - 1) + 1, at(row - 1, column - 1) + change]
      rows[row]?.push(Math.min(swapped, ...others))
    }
  }
  return at(from.length, to.length)
}
