-- A question to a person waits for that person, not for the control plane.
if obj.metadata.deletionTimestamp == nil and obj.status ~= nil and obj.status.observedGeneration == obj.metadata.generation then
  for _, condition in ipairs(obj.status.conditions or {}) do
    if condition.type == "Ready" and condition.reason == "AwaitingPerson" then
      return { status = "Suspended", message = condition.message }
    end
  end
end
