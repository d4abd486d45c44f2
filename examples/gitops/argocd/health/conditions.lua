-- The health of an object of sprites.highera.com: what its conditions say, once they speak for its newest generation.
local function conditionOf(conditionType)
  for _, condition in ipairs((obj.status or {}).conditions or {}) do
    if condition.type == conditionType then
      return condition
    end
  end
  return nil
end

local function health(status, message)
  return { status = status, message = message or "" }
end

if obj.metadata.deletionTimestamp ~= nil then
  return health("Progressing", "Is being deleted")
end

local observed = (obj.status or {}).observedGeneration
if observed == nil or observed ~= obj.metadata.generation then
  return health("Progressing", "Waits for the control plane to look at it")
end

local ready = conditionOf("Ready")
local stalled = conditionOf("Stalled")
local reconciling = conditionOf("Reconciling")

-- As it was declared: nothing is wrong, and nothing moves until somebody changes it.
if ready ~= nil and ready.reason == "Suspended" then
  return health("Suspended", ready.message)
end
if stalled ~= nil and stalled.status == "True" then
  return health("Degraded", stalled.message)
end
if reconciling ~= nil and reconciling.status == "True" then
  return health("Progressing", reconciling.message)
end
if ready ~= nil and ready.status ~= "True" then
  return health("Progressing", ready.message)
end
return health("Healthy", ready ~= nil and ready.message or "")
