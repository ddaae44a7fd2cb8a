package pairing

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/salita-mesh/salita/core/internal/mesh"
)

// maxLinkAddresses bounds the addresses in a link, so that its QR code stays
// easy to scan.
const maxLinkAddresses = 8

// maxLink bounds the text of a link, in bytes.
const maxLink = 4096

const linkVersion = "v1"

// Link is what the QR code holds: where the showing side is, which key it has,
// and the secret that makes a stranger's number worthless. As text:
//
//	https://<host:port>/join#v1.<code>.<linking_code>.<keyhash>.<addr,addr,...>
//
// The part after '#' never reaches a server on its own; a browser that opens
// the link reads it there.
type Link struct {
	Code        string // names the window; 26 base32 characters
	LinkingCode string // the secret; 26 base32 characters
	Key         mesh.KeyHash
	Addresses   []string // host:port, the best one first; 1 to 8
}

// String spells the link. The addresses must be valid.
func (l Link) String() string {
	escaped := make([]string, len(l.Addresses))
	for i, a := range l.Addresses {
		escaped[i] = url.PathEscape(a)
	}
	host := strings.ReplaceAll(l.Addresses[0], "%", "%25")
	fragment := strings.Join([]string{
		linkVersion, l.Code, l.LinkingCode, l.Key.String(), strings.Join(escaped, ","),
	}, ".")
	return "https://" + host + "/join#" + fragment
}

// ParseLink reads the text of a link strictly. The address before the path
// comes first when the link does not list it, because it is the one that
// whoever opened the link in a browser has reached.
func ParseLink(text string) (Link, error) {
	if len(text) > maxLink {
		return Link{}, errors.New("link is too long")
	}
	before, fragment, ok := strings.Cut(text, "#")
	if !ok {
		return Link{}, errors.New("link has no fragment")
	}
	host, err := parseLinkHost(before)
	if err != nil {
		return Link{}, err
	}
	l, err := parseLinkFragment(fragment)
	if err != nil {
		return Link{}, err
	}
	if !slices.Contains(l.Addresses, host) {
		l.Addresses = append([]string{host}, l.Addresses...)
		l.Addresses = l.Addresses[:min(len(l.Addresses), maxLinkAddresses)]
	}
	return l, nil
}

func parseLinkHost(before string) (string, error) {
	u, err := url.Parse(before)
	if err != nil {
		return "", fmt.Errorf("link: %w", err)
	}
	if u.Scheme != "https" || u.User != nil || u.RawQuery != "" || u.ForceQuery || u.Path != "/join" || u.RawPath != "" {
		return "", errors.New("link is not of the form https://host:port/join#fragment")
	}
	port := u.Port()
	if port == "" {
		port = "443" // browsers leave it out
	}
	host := net.JoinHostPort(u.Hostname(), port)
	if err := checkAddress(host); err != nil {
		return "", fmt.Errorf("link: %w", err)
	}
	return host, nil
}

func parseLinkFragment(fragment string) (Link, error) {
	parts := strings.SplitN(fragment, ".", 5)
	if len(parts) != 5 || parts[0] != linkVersion {
		return Link{}, errors.New("link has an unknown form")
	}
	l := Link{Code: parts[1], LinkingCode: parts[2]}
	if err := errors.Join(checkCode(l.Code), checkCode(l.LinkingCode)); err != nil {
		return Link{}, fmt.Errorf("link: %w", err)
	}
	var err error
	if l.Key, err = mesh.ParseKeyHash(parts[3]); err != nil {
		return Link{}, fmt.Errorf("link: %w", err)
	}
	if l.Key.String() != parts[3] || l.Key.IsZero() {
		return Link{}, errors.New("link: key hash is not canonical")
	}
	l.Addresses, err = parseLinkAddresses(parts[4])
	return l, err
}

func parseLinkAddresses(text string) ([]string, error) {
	parts := strings.Split(text, ",")
	if len(parts) > maxLinkAddresses {
		return nil, fmt.Errorf("link has %d addresses", len(parts))
	}
	for i, part := range parts {
		address, err := url.PathUnescape(part)
		if err != nil {
			return nil, fmt.Errorf("link: %w", err)
		}
		if err := checkAddress(address); err != nil {
			return nil, fmt.Errorf("link: %w", err)
		}
		parts[i] = address
	}
	return parts, nil
}

// parseAddress reads what a person types: a host name or IP address with or
// without a port, or the address as a browser shows it.
func parseAddress(text string) (string, error) {
	text = strings.TrimSuffix(strings.TrimPrefix(text, "https://"), "/")
	host, port, err := net.SplitHostPort(text)
	if err != nil {
		host, port = text, strconv.Itoa(defaultPort)
		if inner, ok := strings.CutPrefix(text, "["); ok && strings.HasSuffix(inner, "]") {
			host = strings.TrimSuffix(inner, "]")
		}
	}
	address := net.JoinHostPort(host, port)
	if err := checkAddress(address); err != nil {
		return "", fmt.Errorf("address: %w", err)
	}
	return address, nil
}
