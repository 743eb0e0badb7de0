/** SQL lives in .sql files; every bundler here (esbuild, wrangler, vitest) imports them as text. */
declare module '*.sql' {
  const text: string
  export default text
}
