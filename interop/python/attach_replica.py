"""Imports the replica of the first storage domain at the secondary site and attaches it, as an operator does after a disaster."""
import sys
import time

import ovirtsdk4.types as types

from judge import SECONDARY, connect

address, path, identity = sys.argv[1:]
with connect(SECONDARY) as connection:
    system = connection.system_service()
    dc = system.data_centers_service().list()[0]
    host = system.hosts_service().list(search="status=up")[0]
    domain = system.storage_domains_service().add(types.StorageDomain(
        id=identity, type=types.StorageDomainType.DATA, host=types.Host(id=host.id),
        storage=types.HostStorage(type=types.StorageType.NFS, address=address, path=path)))
    attached = system.data_centers_service().data_center_service(dc.id).storage_domains_service()
    attached.add(types.StorageDomain(id=domain.id))
    while attached.storage_domain_service(domain.id).get().status != types.StorageDomainStatus.ACTIVE:
        time.sleep(1)
