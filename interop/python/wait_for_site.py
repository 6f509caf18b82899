"""Waits until a site that got its power back is at work again: engine, hosts and storage domains."""
import sys

import ovirtsdk4 as sdk
import ovirtsdk4.types as types

from judge import connect, wait_for


def at_work():
    try:
        with connect(sys.argv[1]) as connection:
            system = connection.system_service()
            dcs = system.data_centers_service()
            return all(host.status == types.HostStatus.UP for host in system.hosts_service().list()) and all(
                domain.status == types.StorageDomainStatus.ACTIVE
                for dc in dcs.list() for domain in dcs.data_center_service(dc.id).storage_domains_service().list())
    except sdk.Error:
        return False


wait_for(at_work, "the site at work", 600)
