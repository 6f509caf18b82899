package lab

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"net/url"
	"time"
)

// authority is the CA of a site with the certificate of its engine. Its keys are random in every process: they are no part of
// what a seed decides.
type authority struct {
	caPEM, serverPEM []byte
	server           tls.Certificate
}

// newAuthority makes a CA and a server certificate for 127.0.0.1, localhost and the host of the site's URL, valid for ten years
// from a day before now.
func newAuthority(site, siteURL string, now time.Time) (*authority, error) {
	u, err := url.Parse(siteURL)
	if err != nil {
		return nil, fmt.Errorf("make certificates of %s: %w", site, err)
	}
	caKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make certificates of %s: %w", site, err)
	}
	from, to := now.Add(-24*time.Hour), now.AddDate(10, 0, 0)
	ca := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{Organization: []string{organization}, CommonName: "drrun lab " + site + " CA"},
		NotBefore: from, NotAfter: to, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign}
	caDER, err := x509.CreateCertificate(rand.Reader, ca, ca, &caKey.PublicKey, caKey)
	if err != nil {
		return nil, fmt.Errorf("make certificates of %s: %w", site, err)
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make certificates of %s: %w", site, err)
	}
	leaf := &x509.Certificate{SerialNumber: big.NewInt(2), Subject: pkix.Name{Organization: []string{organization}, CommonName: u.Hostname()},
		NotBefore: from, NotAfter: to, KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		DNSNames: []string{"localhost", u.Hostname()}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}
	der, err := x509.CreateCertificate(rand.Reader, leaf, ca, &key.PublicKey, caKey)
	if err != nil {
		return nil, fmt.Errorf("make certificates of %s: %w", site, err)
	}
	block := func(b []byte) []byte { return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: b}) }
	return &authority{caPEM: block(caDER), serverPEM: block(der), server: tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}}, nil
}

// authority returns the site's certificates, made at the first use. The world must be locked.
func (e *engine) authority() (*authority, error) {
	if e.certs == nil {
		made, err := newAuthority(e.name, e.spec.URL, e.lab.now)
		if err != nil {
			return nil, err
		}
		e.certs = made
	}
	return e.certs, nil
}

// CA returns the PEM certificate of a site's authority.
func (l *Lab) CA(site string) ([]byte, error) {
	l.lock()
	defer l.mu.Unlock()
	e := l.engine(site)
	if e == nil {
		return nil, fmt.Errorf("read CA: no site %q", site)
	}
	a, err := e.authority()
	if err != nil {
		return nil, err
	}
	return a.caPEM, nil
}
