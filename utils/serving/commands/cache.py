"""Commands about the cache of loaded models, and about the disk that holds their files."""

from __future__ import annotations

from utils.core import replies, requests
from utils.serving.commands import Context, Group

GROUP = Group("cache")


@GROUP.control(requests.ListCached, replies.CachedModels)
def list_cached(context: Context, request: requests.ListCached) -> replies.CachedModels:
    del request
    return context.engine.list_cached()


@GROUP.control(requests.ClearCache, replies.CacheCleared)
def clear_cache(context: Context, request: requests.ClearCache) -> replies.CacheCleared:
    del request
    return context.engine.clear_cache()


@GROUP.control(requests.SetCacheSize, replies.CacheSizeUpdated)
def set_cache_size(context: Context, request: requests.SetCacheSize) -> replies.CacheSizeUpdated:
    return context.engine.set_cache_size(request.size)


@GROUP.control(requests.SetStorageType, replies.StorageConfigured)
def set_storage_type(context: Context, request: requests.SetStorageType) -> replies.StorageConfigured:
    return context.engine.set_storage_type(request.type)
