/** The object that the wire benchmark sends about: a Sprite of about 2 KB. Pure. */

/** Where it lies. */
export const NAMESPACE = 'bench'

/** Path of the collection. */
export const SPRITES_PATH = `/apis/sprites.highera.com/v1alpha1/namespaces/${NAMESPACE}/sprites`

/** A Sprite to create; with what the registry adds it is about 2 KB of JSON. */
export const spriteBody = (name: string): object => ({
  apiVersion: 'sprites.highera.com/v1alpha1',
  kind: 'Sprite',
  metadata: {
    name,
    labels: { app: 'bench', tier: 'writer', team: 'content' },
    annotations: Object.fromEntries(
      Array.from({ length: 8 }, (_, index) => [`example.com/note-${index}`, 'some words about it. '.repeat(6)]),
    ),
  },
  spec: { agentType: 'copywriter', runPolicy: 'Always', idleTimeoutSeconds: 10_000 },
})
