import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'

/** What the program may ask for. */
export type Favours = Readonly<Record<string, () => Promise<void>>>

/**
 * Runs parts of the program against a server. Gives the line of each check, and does what it asks for.
 * Fails when the program ends in another way than by its last check.
 */
export async function runProgram(
  path: string,
  url: string,
  parts: readonly string[],
  favours: Favours = {},
): Promise<string[]> {
  const child = spawn(path, [url, ...parts])
  let errors = ''
  child.stderr.on('data', (data: Buffer) => {
    errors += data.toString()
  })
  const ended = new Promise<number | null>((resolve) => child.once('close', resolve))
  const lines: string[] = []
  try {
    for await (const line of createInterface(child.stdout)) {
      const asked = /^please (.*)$/.exec(line)?.[1]
      if (asked === undefined) {
        lines.push(line)
        continue
      }
      const favour = favours[asked]
      if (favour === undefined) throw new Error(`the program asks for ${asked}`)
      await favour()
      child.stdin.write('\n')
    }
  } finally {
    child.kill()
  }
  await ended
  if (errors !== '') throw new Error(`${lines.join('\n')}\n${errors.slice(0, 2000)}`)
  return lines
}
