/** Pure: a task for tests, with any field replaced. */
import type { Task } from '../../protocol/coordinator.ts'

/** A copywriter's task that may be handed on to an editor. */
export function fakeTask(overrides: Partial<Task> = {}): Task {
  return {
    work: 'write-launch-email',
    attempt: 1,
    type: 'write_copy',
    description: 'Write the launch email',
    persona: {
      name: 'copywriter',
      description: 'Writes copy',
      effort: 'medium',
      maxTokens: 4096,
      tools: ['deliver', 'hand_off', 'request_review', 'report_blocked'],
      mayHandOffTo: ['editor'],
      prompt: 'You write copy that people read to the end.',
    },
    model: 'claude-test',
    tenant: { name: 'acme-corp', displayName: 'Acme Corp' },
    brand: { voice: 'Warm and plain' },
    handOffTargets: [{ agentType: 'editor', description: 'Edits copy' }],
    context: [],
    feedback: [],
    ...overrides,
  }
}
