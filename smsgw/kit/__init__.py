"""Small tools without any business in them: time, ids, tasks, batches, limits, logs, the service manager."""
