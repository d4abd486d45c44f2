/** Decides what a sprite's machine is made from, its name and the hash by which drift is seen. Pure. */
import { fingerprint } from '../../api/digest.ts'
import type { Guest } from '../fields.ts'
import type { TenantLimits } from '../tenant/schema.ts'
import type { Sprite } from './schema.ts'

/** What the control plane gives where a sprite says nothing. */
export type MachineDefaults = { readonly image: string; readonly regions: readonly string[] }

/** What a sprite's machine is made from. */
export type MachineConfig = {
  readonly image: string
  readonly guest: Guest
  readonly regions: readonly string[]
  /** The plan keeps no stopped machines: the provider destroys them on exit. */
  readonly autoDestroy: boolean
  /** Hash of image, guest and regions. */
  readonly specHash: string
}

/** What the sprite's machine should be, under the limits in force. */
export function machineConfig(sprite: Sprite, limits: TenantLimits, defaults: MachineDefaults): MachineConfig {
  const machine = {
    image: sprite.spec.image ?? defaults.image,
    guest: sprite.spec.guest ?? limits.guest,
    regions: sprite.spec.regions ?? defaults.regions,
  }
  // Not in the hash: who takes another plan keeps the machines that run, and what becomes of a stopped one is seen then.
  const autoDestroy = limits.stoppedMachineRetentionSeconds === 0
  return { ...machine, autoDestroy, specHash: fingerprint(machine) }
}

/** `<sprite>-<uid8>-<incarnation>`: unique for ever, at most 63 characters, found again after any crash. */
export const machineName = (sprite: Sprite, incarnation: number): string =>
  `${sprite.metadata.name}-${sprite.metadata.uid.slice(0, 8)}-${incarnation}`
