package main

import (
	"context"
	"net"
)

// nearHost tells whether one of this machine's networks has the address of a host. A name that cannot be looked up is not near.
func nearHost(ctx context.Context, host string) bool {
	addresses, err := net.DefaultResolver.LookupNetIP(ctx, "ip", host)
	if err != nil {
		return false
	}
	own, err := net.InterfaceAddrs()
	if err != nil {
		return false
	}
	for _, address := range addresses {
		for _, one := range own {
			if network, ok := one.(*net.IPNet); ok && network.Contains(net.IP(address.Unmap().AsSlice())) {
				return true
			}
		}
	}
	return false
}
