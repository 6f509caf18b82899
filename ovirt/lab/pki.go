package lab

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/binary"
	"encoding/pem"
	"fmt"
	"net/http"
	"strings"
)

// getPKI serves the CA and the engine's certificate to anyone (ovirt-engine PKIResourceServlet.java, PKIResources.java). The writer is
// there before the content type, so that a character set is added to it.
func (c *call) getPKI() *reply {
	if !c.reading() {
		return methodUnsupported(c.req)
	}
	q := c.req.URL.Query()
	a, err := c.engine.authority()
	if err != nil {
		return html(http.StatusInternalServerError, "Internal Server Error")
	}
	body, kind := lines76(a.caPEM), "application/x-x509-ca-cert"
	switch resource := q.Get("resource"); {
	case !q.Has("resource"):
		return html(http.StatusBadRequest, "Missing resource name")
	case resource == "engine-certificate":
		body, kind = lines76(a.serverPEM), "application/x-x509-cert"
	case resource != "ca-certificate" && resource != "qemu-ca-certificate":
		return html(http.StatusBadRequest, "Resource '"+resource+"' is invalid")
	}
	if q.Has("format") {
		switch format := q.Get("format"); format {
		case "X509-PEM":
			kind = "application/x-x509-cert"
		case "X509-PEM-CA":
			kind = "application/x-x509-ca-cert"
		case "OPENSSH-PUBKEY":
			alias := "ovirt-engine" // SSHKeyAlias, which a CA does not have
			if kind == "application/x-x509-ca-cert" {
				alias = ""
			}
			if q.Has("alias") {
				alias = q.Get("alias")
			}
			if body, err = opensshKey(body, alias); err != nil {
				return html(http.StatusInternalServerError, "Internal Server Error")
			}
			kind = "text/plain"
		default:
			return html(http.StatusBadRequest, "Format '"+format+"' is invalid")
		}
	}
	return &reply{status: http.StatusOK, contentType: kind + ";charset=ISO-8859-1", body: body}
}

// lines76 writes a certificate with the line length of the engine's encoder.
func lines76(certificate []byte) []byte {
	block, _ := pem.Decode(certificate)
	var b bytes.Buffer
	b.WriteString("-----BEGIN CERTIFICATE-----\n")
	text := base64.StdEncoding.EncodeToString(block.Bytes)
	for len(text) > 0 {
		n := min(76, len(text))
		b.WriteString(text[:n] + "\n")
		text = text[n:]
	}
	b.WriteString("-----END CERTIFICATE-----\n")
	return b.Bytes()
}

// opensshKey is the public key of a certificate as a line for authorized_keys (RFC 5656). A real engine's key is RSA.
func opensshKey(certificate []byte, alias string) ([]byte, error) {
	block, _ := pem.Decode(certificate)
	c, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return nil, err
	}
	key, ok := c.PublicKey.(*ecdsa.PublicKey)
	if !ok {
		return nil, fmt.Errorf("the key is a %T", c.PublicKey)
	}
	point, err := key.Bytes()
	if err != nil {
		return nil, err
	}
	const kind, curve = "ecdsa-sha2-nistp256", "nistp256"
	var b []byte
	for _, part := range []string{kind, curve, string(point)} {
		b = append(binary.BigEndian.AppendUint32(b, uint32(len(part))), part...)
	}
	return []byte(strings.TrimSpace(kind+" "+base64.StdEncoding.EncodeToString(b)+" "+alias) + "\n"), nil
}
