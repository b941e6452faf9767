// edu BDF ROUNDS
//
// A driver for QEMU's teaching device "edu" in Go, without cgo, so that it makes its
// system calls itself. It looks up addresses of its heap, has the device copy from one
// page to another, and compares the two. Meanwhile goroutines open files and collect
// garbage, and it starts children. The last line has the number of transfers.
package main

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"
)

const (
	page          = 4096
	getStatus     = 0x3b67
	setContainer  = 0x3b68
	getDevice     = 0x3b6a
	regionInfo    = 0x3b6c
	setIommu      = 0x3b66
	noIommu       = 8
	configRegion  = 7
	dmaSource     = 0x80
	dmaTarget     = 0x88
	dmaCount      = 0x90
	dmaCommand    = 0x98
	start, toRAM  = 1, 2
	buffer        = 0x40000
	length        = page - 8
	presentBit    = 1 << 63
	frameMask     = 1<<55 - 1
	configCommand = 4
)

func need(err error, what string) {
	if err != nil {
		fmt.Fprintf(os.Stderr, "edu: %s: %v\n", what, err)
		os.Exit(2)
	}
}

func ioctl(fd int, request uintptr, argument unsafe.Pointer, what string) int {
	ret, _, errno := syscall.Syscall(syscall.SYS_IOCTL, uintptr(fd), request, uintptr(argument))
	if errno != 0 {
		need(errno, what)
	}
	return int(ret)
}

func open(path string) int {
	fd, err := syscall.Open(path, syscall.O_RDWR|syscall.O_CLOEXEC, 0)
	need(err, path)
	return fd
}

type region struct {
	size, flags, index, capability uint32
	length, offset                 uint64
}

func info(device int, index uint32) region {
	r := region{size: 32, index: index}
	ioctl(device, regionInfo, unsafe.Pointer(&r), "GET_REGION_INFO")
	return r
}

type file struct {
	fd     int
	offset uint64
}

// Without a group the device is used by sysfs, as drivers on UIO do.
func openDevice(address string) (config, bar file) {
	sysfs := "/sys/bus/pci/devices/" + address
	link, err := os.Readlink(sysfs + "/iommu_group")
	if err != nil {
		return file{open(sysfs + "/config"), 0}, file{open(sysfs + "/resource0"), 0}
	}
	device := openMember(filepath.Base(link), address)
	return file{device, info(device, configRegion).offset}, file{device, info(device, 0).offset}
}

func openMember(groupName, address string) int {
	container := open("/dev/vfio/vfio")
	group := open("/dev/vfio/noiommu-" + groupName)
	status := [2]uint32{8, 0}
	ioctl(group, getStatus, unsafe.Pointer(&status), "GET_STATUS")
	number := int32(container)
	ioctl(group, setContainer, unsafe.Pointer(&number), "SET_CONTAINER")
	_, _, errno := syscall.Syscall(syscall.SYS_IOCTL, uintptr(container), setIommu, noIommu)
	if errno != 0 {
		need(errno, "SET_IOMMU")
	}
	name := append([]byte(address), 0)
	return ioctl(group, getDevice, unsafe.Pointer(&name[0]), "GET_DEVICE_FD")
}

func enableBusMaster(config file) {
	var command [2]byte
	at := int64(config.offset) + configCommand
	_, err := syscall.Pread(config.fd, command[:], at)
	need(err, "command register")
	command[0] |= 6
	_, err = syscall.Pwrite(config.fd, command[:], at)
	need(err, "command register")
}

func physical(memory []byte) uint64 {
	var entry [8]byte
	file, err := os.Open("/proc/self/pagemap")
	need(err, "pagemap")
	defer file.Close()
	_, err = file.ReadAt(entry[:], int64(uintptr(unsafe.Pointer(&memory[0]))/page*8))
	need(err, "pagemap")
	value := binary.LittleEndian.Uint64(entry[:])
	if value&presentBit == 0 || value&frameMask == 0 {
		need(syscall.ENXIO, "address")
	}
	return (value & frameMask) * page
}

func aligned() []byte {
	memory := make([]byte, 2*page)
	skip := page - int(uintptr(unsafe.Pointer(&memory[0]))%page)
	return memory[skip%page : skip%page+page]
}

var bar []byte

func register(offset int) *uint64 { return (*uint64)(unsafe.Pointer(&bar[offset])) }

func dma(from, to, direction uint64) {
	atomic.StoreUint64(register(dmaSource), from)
	atomic.StoreUint64(register(dmaTarget), to)
	atomic.StoreUint64(register(dmaCount), length)
	atomic.StoreUint64(register(dmaCommand), start|direction)
	for i := 0; atomic.LoadUint64(register(dmaCommand))&start != 0; i++ {
		if i > 10000 {
			need(syscall.ETIMEDOUT, "DMA")
		}
		time.Sleep(time.Millisecond)
	}
}

// Does what programs in Go do all the time.
func keepBusy(end *int32, done chan<- bool) {
	for atomic.LoadInt32(end) == 0 {
		data, err := os.ReadFile("/proc/self/stat")
		need(err, "stat")
		if !strings.Contains(string(data), "edu") {
			need(syscall.EIO, "stat")
		}
		_ = make([]byte, 100*page)
		time.Sleep(5 * time.Millisecond)
	}
	done <- true
}

func startChildren() {
	out, err := exec.Command("/bin/echo", "dynamic").Output()
	need(err, "a dynamic child")
	if string(out) != "dynamic\n" {
		need(syscall.EIO, "a dynamic child's output")
	}
	err = exec.Command("/proc/self/exe", "child").Run()
	if exit, ok := err.(*exec.ExitError); !ok || exit.ExitCode() != 7 {
		need(syscall.EIO, "a child in Go")
	}
}

func main() {
	if len(os.Args) == 2 && os.Args[1] == "child" {
		_, err := os.Stat("/proc/self/exe")
		need(err, "in a child")
		os.Exit(7)
	}
	var rounds int
	fmt.Sscan(os.Args[2], &rounds)
	var end int32
	done := make(chan bool)
	for i := 0; i < 8; i++ {
		go keepBusy(&end, done)
	}
	from, to := aligned(), aligned()
	from[0], to[0] = 1, 1
	fromPA := physical(from) // before any device is open
	config, registers := openDevice(os.Args[1])
	defer syscall.Close(config.fd)
	enableBusMaster(config)
	var err error
	bar, err = syscall.Mmap(registers.fd, int64(registers.offset), page,
		syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_SHARED)
	need(err, "BAR 0")
	toPA := physical(to)
	fmt.Println("ready")
	corrupted := 0
	for round := 0; round < rounds; round++ {
		for i := range from {
			from[i], to[i] = byte(i*7+round), 0xaa
		}
		dma(fromPA, buffer, 0)
		dma(buffer, toPA, toRAM)
		if !bytes.Equal(from[:length], to[:length]) || physical(from) != fromPA {
			corrupted++
		}
		if round%4 == 0 {
			startChildren()
			runtime.GC()
		}
	}
	atomic.StoreInt32(&end, 1)
	for i := 0; i < 8; i++ {
		<-done
	}
	fmt.Printf("%d transfers, %d corrupted\n", 2*rounds, corrupted)
	if corrupted > 0 {
		os.Exit(1)
	}
}
