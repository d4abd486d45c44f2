/** The folder of personas: what is loaded, what is refused, and that the product's own personas hold. */
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { PersonaFolderError, loadPersonas } from './persona-folder.ts'

const OWN = fileURLToPath(new URL('../personas', import.meta.url))
const file = (name: string, extra = ''): string =>
  `---\nname: ${name}\ndescription: Does it.\n${extra}---\nYou do it.\n`

let folder = ''
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'personas-'))
})
afterEach(() => rm(folder, { recursive: true, force: true }))

const problemsOf = (path: string): Promise<readonly string[]> =>
  loadPersonas(path).then(
    () => [],
    (error: unknown) => (error instanceof PersonaFolderError ? error.problems : Promise.reject(error as Error)),
  )

describe('loadPersonas', () => {
  it('PD1 loads each persona by its name and leaves documentation alone', async () => {
    await writeFile(join(folder, 'editor.md'), file('editor'))
    await writeFile(join(folder, 'copywriter.md'), file('copywriter', 'mayHandOffTo: [editor]\n'))
    await writeFile(join(folder, 'README.md'), '# Personas')
    expect([...(await loadPersonas(folder)).keys()]).toEqual(['copywriter', 'editor'])
  })
  it('PD2 says file, line and column of every problem, and loads nothing', async () => {
    await writeFile(join(folder, 'editor.md'), file('editor', 'effort: huge\n'))
    await writeFile(join(folder, 'writer.md'), file('copywriter'))
    const problems = await problemsOf(folder)
    expect(problems).toHaveLength(2)
    expect(problems[0]).toMatch(/editor\.md:4:9: effort: /)
    expect(problems[1]).toMatch(/writer\.md:2:7: name: /)
  })
  it('PD3 refuses hand-offs to agent types that do not exist', async () => {
    await writeFile(join(folder, 'copywriter.md'), file('copywriter', 'mayHandOffTo: [editor]\n'))
    expect(await problemsOf(folder)).toEqual([expect.stringContaining('"editor"') as string])
  })
  it('PD4 follows no link, inside or outside', async () => {
    await writeFile(join(folder, 'editor.md'), file('editor'))
    await mkdir(join(folder, 'sub'))
    await symlink('/etc/passwd', join(folder, 'passwd.md'))
    expect(await problemsOf(folder)).toEqual([expect.stringContaining('passwd.md') as string])
  })
  it('PD5 says that the folder is not there', async () => {
    await expect(loadPersonas(join(folder, 'none'))).rejects.toMatchObject({ reason: 'Unreadable' })
  })
})

describe('the product’s own personas', () => {
  it('PD6 are valid, and the chain of hand-offs ends with the editor', async () => {
    const personas = await loadPersonas(OWN)
    for (const name of ['director', 'strategist', 'copywriter', 'editor']) expect(personas.has(name)).toBe(true)
    expect(personas.size).toBeGreaterThanOrEqual(9)
    expect(personas.get('director')?.mayHandOffTo).toContain('strategist')
    expect(personas.get('strategist')?.mayHandOffTo).toContain('copywriter')
    expect(personas.get('copywriter')?.mayHandOffTo).toContain('editor')
    expect(personas.get('editor')?.mayHandOffTo).toEqual([])
  })
  it('PD7 are as long as a person reads: 250 to 500 words', async () => {
    for (const [name, { prompt }] of await loadPersonas(OWN)) {
      const words = prompt.split(/\s+/).length
      expect(words, name).toBeGreaterThanOrEqual(250)
      expect(words, name).toBeLessThanOrEqual(500)
    }
  })
  it('PD8 offer hand_off exactly when there is somebody to hand off to', async () => {
    for (const [name, persona] of await loadPersonas(OWN))
      expect(persona.tools.includes('hand_off'), name).toBe(persona.mayHandOffTo.length > 0)
  })
})
