package stdlib

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"syscall"
	"time"

	"golang.org/x/net/icmp"
	"golang.org/x/net/ipv4"
	"golang.org/x/net/ipv6"

	"drrun/lua"
)

// pingModule declares the module ping.
func pingModule(o *outside) lua.Module {
	return lua.Module{
		Name: "ping",
		Doc: "ICMP echo. Linux lets a process send it whose group is in net.ipv4.ping_group_range, or that has CAP_NET_RAW; where it lets neither, ping-not-allowed is raised. " +
			"Where a firewall drops ICMP, ask tcp instead.",
		Funcs: []lua.Func{{
			Name: "alive", Effect: lua.Observes, Returns: "boolean",
			Doc: "Whether a host answers. It is asked once a second until it does or the time is over.",
			Params: []lua.Param{
				{Name: "host", Type: lua.String, Positional: true, Doc: "Name or address."},
				{Name: "timeout", Type: lua.Duration, Default: "3s", Doc: "How long to ask."},
			},
			Run: func(c *lua.Call) (any, error) {
				silent, err := o.echo(c)
				if err != nil {
					return nil, err
				}
				return silent == nil, nil // a name that does not resolve and a network without a route do not answer either
			},
		}},
	}
}

// errNoEcho says that a host was asked and did not answer.
var errNoEcho = errors.New("no answer to ICMP echo")

// echo asks the host of a call until it answers or the time-out is over. silent says why it did not, nil where it did.
func (o *outside) echo(c *lua.Call) (silent, err error) {
	host := c.String("host")
	_, err = o.observe(c, func(ctx context.Context, s *Session) (any, error) {
		var alive bool
		alive, silent = pingHost(ctx, s, host)
		switch {
		case c.Ctx.Err() != nil:
			return nil, context.Cause(c.Ctx)
		case errors.Is(silent, os.ErrPermission):
			d := c.Errorf("ping-not-allowed", "host", "ping %s: this system lets drrun send no ICMP: %v", host, silent)
			d.Hint = "sysctl net.ipv4.ping_group_range='0 2147483647', or setcap cap_net_raw+ep on drrun; or use tcp.open"
			return nil, d
		case !alive && silent == nil:
			silent = errNoEcho
		}
		return nil, nil
	})
	return silent, err
}

// echoPeriod is the time between two requests, model time.
const echoPeriod = time.Second

// pingHost asks a host until it answers or ctx ends. The error says why nothing could be asked.
func pingHost(ctx context.Context, s *Session, host string) (alive bool, err error) {
	addresses, err := net.DefaultResolver.LookupIPAddr(ctx, host)
	if err != nil {
		return false, fmt.Errorf("find %s: %w", host, err)
	}
	target := addresses[0]
	connection, raw, err := listenICMP(target.IP)
	if err != nil {
		return false, err
	}
	defer func() { _ = connection.Close() }() // nothing was said that could be lost
	mark := fmt.Sprintf("drrun %016x", s.Env.Rand())
	for sequence := 1; ctx.Err() == nil; sequence++ {
		if err = sendEcho(connection, target, raw, sequence, mark); err != nil {
			return false, fmt.Errorf("ping %s: %w", host, err)
		}
		round, cancel := s.Env.Clock.WithTimeout(ctx, echoPeriod)
		alive = awaitEcho(round, connection, target.IP, mark)
		cancel()
		if alive {
			return true, nil
		}
	}
	return false, nil
}

// listenICMP opens a socket for echo: an unprivileged one where the system has them, else a raw one.
func listenICMP(ip net.IP) (connection *icmp.PacketConn, raw bool, err error) {
	unprivileged, privileged, local := "udp4", "ip4:icmp", "0.0.0.0"
	if ip.To4() == nil {
		unprivileged, privileged, local = "udp6", "ip6:ipv6-icmp", "::"
	}
	if connection, err = icmp.ListenPacket(unprivileged, local); err == nil {
		return connection, false, nil
	}
	if connection, err = icmp.ListenPacket(privileged, local); err == nil {
		return connection, true, nil
	}
	if errors.Is(err, syscall.EPERM) || errors.Is(err, syscall.EACCES) {
		return nil, false, fmt.Errorf("%w (%w)", os.ErrPermission, err)
	}
	return nil, false, err
}

func sendEcho(connection *icmp.PacketConn, target net.IPAddr, raw bool, sequence int, mark string) error {
	kind := icmp.Type(ipv4.ICMPTypeEcho)
	if target.IP.To4() == nil {
		kind = ipv6.ICMPTypeEchoRequest
	}
	message := icmp.Message{Type: kind, Body: &icmp.Echo{ID: os.Getpid() & 0xffff, Seq: sequence, Data: []byte(mark)}}
	packet, err := message.Marshal(nil)
	if err != nil {
		return err
	}
	to := net.Addr(&net.UDPAddr{IP: target.IP, Zone: target.Zone})
	if raw {
		to = &target
	}
	_, err = connection.WriteTo(packet, to)
	return err
}

// awaitEcho reads until the answer comes or ctx ends. A raw socket hears what others get, too: the mark in the answer tells them apart.
func awaitEcho(ctx context.Context, connection *icmp.PacketConn, from net.IP, mark string) bool {
	stop := context.AfterFunc(ctx, func() { _ = connection.SetReadDeadline(time.Unix(1, 0)) })
	defer func() {
		stop()
		_ = connection.SetReadDeadline(time.Time{})
	}()
	protocol := 1
	if from.To4() == nil {
		protocol = 58
	}
	buffer := make([]byte, 1500)
	for ctx.Err() == nil {
		n, _, err := connection.ReadFrom(buffer)
		if err != nil {
			return false
		}
		answer, err := icmp.ParseMessage(protocol, buffer[:n])
		if err != nil || answer.Type != ipv4.ICMPTypeEchoReply && answer.Type != ipv6.ICMPTypeEchoReply {
			continue
		}
		if echo, ok := answer.Body.(*icmp.Echo); ok && string(echo.Data) == mark {
			return true
		}
	}
	return false
}
