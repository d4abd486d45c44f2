-- A task that waits for a review waits for somebody; one that was declared cancelled is as it was declared.
if obj.metadata.deletionTimestamp == nil and obj.status ~= nil and obj.status.observedGeneration == obj.metadata.generation then
  if obj.status.phase == "InReview" then
    return { status = "Suspended", message = "A review is awaited" }
  end
  if obj.status.phase == "Cancelled" and obj.spec.cancelled == true then
    return { status = "Suspended", message = "Cancelled, as declared" }
  end
end
