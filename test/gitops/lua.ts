/** Runs a health script as Argo CD does: the object is the global `obj`, the answer a table with status and message. */
import { createRequire } from 'node:module'

/** The few functions of fengari (Lua in JavaScript) that are called here: the package brings no types. */
type Fengari = {
  readonly lua: {
    readonly LUA_OK: number
    readonly lua_pushnil: (state: object) => void
    readonly lua_pushboolean: (state: object, value: boolean) => void
    readonly lua_pushnumber: (state: object, value: number) => void
    readonly lua_pushinteger: (state: object, value: number) => void
    readonly lua_pushstring: (state: object, value: Uint8Array) => void
    readonly lua_createtable: (state: object, items: number, fields: number) => void
    readonly lua_rawset: (state: object, index: number) => void
    readonly lua_rawseti: (state: object, index: number, at: number) => void
    readonly lua_setglobal: (state: object, name: Uint8Array) => void
    readonly lua_getfield: (state: object, index: number, name: Uint8Array) => number
    readonly lua_tojsstring: (state: object, index: number) => string
    readonly lua_pop: (state: object, count: number) => void
    readonly lua_pcall: (state: object, args: number, results: number, onError: number) => number
  }
  readonly lauxlib: {
    readonly luaL_newstate: () => object
    readonly luaL_loadstring: (state: object, text: Uint8Array) => number
  }
  readonly lualib: { readonly luaL_openlibs: (state: object) => void }
  readonly to_luastring: (text: string) => Uint8Array
}

// The package has no types of its own: those above are of the functions as its documentation gives them.
const { lauxlib, lua, lualib, to_luastring } = createRequire(import.meta.url)('fengari') as Fengari

/** What a health script says of an object. */
export type Health = { readonly status: string; readonly message: string }

/** Throws an Error with Lua's words when the script fails. */
export function runHealthScript(script: string, object: unknown): Health {
  const state = lauxlib.luaL_newstate()
  lualib.luaL_openlibs(state)
  push(state, object)
  lua.lua_setglobal(state, to_luastring('obj'))
  const isLoaded = lauxlib.luaL_loadstring(state, to_luastring(script)) === lua.LUA_OK
  if (!isLoaded || lua.lua_pcall(state, 0, 1, 0) !== lua.LUA_OK) throw new Error(lua.lua_tojsstring(state, -1))
  return { status: field(state, 'status'), message: field(state, 'message') }
}

function field(state: object, name: string): string {
  lua.lua_getfield(state, -1, to_luastring(name))
  const text = lua.lua_tojsstring(state, -1)
  lua.lua_pop(state, 1)
  return text
}

function push(state: object, value: unknown): void {
  if (value === null || value === undefined) lua.lua_pushnil(state)
  else if (typeof value === 'boolean') lua.lua_pushboolean(state, value)
  else if (typeof value === 'number')
    if (Number.isInteger(value)) lua.lua_pushinteger(state, value)
    else lua.lua_pushnumber(state, value)
  else if (typeof value === 'string') lua.lua_pushstring(state, to_luastring(value))
  else if (Array.isArray(value)) {
    lua.lua_createtable(state, value.length, 0)
    for (const [index, item] of value.entries()) {
      push(state, item)
      lua.lua_rawseti(state, -2, index + 1)
    }
  } else {
    lua.lua_createtable(state, 0, 0)
    for (const [key, item] of Object.entries(value)) {
      lua.lua_pushstring(state, to_luastring(key))
      push(state, item)
      lua.lua_rawset(state, -3)
    }
  }
}
