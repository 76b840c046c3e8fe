// Command goprober probes many addresses over HTTP the way kubelet does: one goroutine and one
// ticker for each, one connection for each probe, the body read up to 10 KiB.
// It follows pkg/probe/http and pkg/kubelet/prober of Kubernetes, with the standard library alone.
package main

import (
	"crypto/tls"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand"
	"net"
	"net/http"
	"net/netip"
	"os"
	"sync"
	"syscall"
	"time"
)

const maxRespBodyLength = 10 * 1 << 10

// probeDialer shortens TIME-WAIT to a second, as kubelet's does.
func probeDialer() *net.Dialer {
	return &net.Dialer{
		Control: func(_, _ string, c syscall.RawConn) error {
			return c.Control(func(fd uintptr) {
				_ = syscall.SetsockoptLinger(int(fd), syscall.SOL_SOCKET, syscall.SO_LINGER,
					&syscall.Linger{Onoff: 1, Linger: 1})
			})
		},
	}
}

func newTransport() *http.Transport {
	return &http.Transport{
		TLSClientConfig:    &tls.Config{InsecureSkipVerify: true},
		DisableKeepAlives:  true,
		Proxy:              nil,
		DisableCompression: true,
		DialContext:        probeDialer().DialContext,
	}
}

func sameHost(req *http.Request, via []*http.Request) error {
	if req.URL.Hostname() != via[0].URL.Hostname() {
		return http.ErrUseLastResponse
	}
	if len(via) >= 10 {
		return errors.New("stopped after 10 redirects")
	}
	return nil
}

func probe(transport *http.Transport, url string, timeout time.Duration) (bool, error) {
	req, err := http.NewRequest(http.MethodGet, url, nil)
	if err != nil {
		return false, err
	}
	req.Header.Set("User-Agent", "kube-probe/1.36")
	req.Header.Set("Accept", "*/*")
	client := &http.Client{Timeout: timeout, Transport: transport, CheckRedirect: sameHost}
	res, err := client.Do(req)
	if err != nil {
		return false, err
	}
	defer res.Body.Close()
	if _, err := io.ReadAll(io.LimitReader(res.Body, maxRespBodyLength)); err != nil {
		return false, err
	}
	return res.StatusCode >= http.StatusOK && res.StatusCode < http.StatusBadRequest, nil
}

type result struct {
	mutex sync.Mutex
	ok    map[netip.Addr]bool
}

func (r *result) set(address netip.Addr, ok bool) {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	r.ok[address] = ok
}

func main() {
	first := flag.String("first", "", "first address")
	count := flag.Int("count", 0, "how many addresses")
	port := flag.Int("port", 0, "port of all")
	interval := flag.Duration("interval", 0, "between two probes of one address")
	flag.Parse()
	address, err := netip.ParseAddr(*first)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	transport := newTransport()
	found := &result{ok: make(map[netip.Addr]bool, *count)}
	for range *count {
		go worker(transport, found, address, *port, *interval)
		address = address.Next()
	}
	select {}
}

// worker starts at a random moment of the interval, as kubelet's do after its restart.
func worker(transport *http.Transport, found *result, address netip.Addr, port int, interval time.Duration) {
	url := fmt.Sprintf("http://%s:%d/healthz", address, port)
	time.Sleep(time.Duration(rand.Float64() * float64(interval)))
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for ; ; <-ticker.C {
		ok, _ := probe(transport, url, interval)
		found.set(address, ok)
	}
}
