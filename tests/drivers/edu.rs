// edu BDF ROUNDS
//
// A driver for QEMU's teaching device "edu" in Rust, linked without a dynamic linker. It
// looks up addresses of its heap, has the device copy from one page to another, and
// compares the two. Meanwhile threads open files, and it starts children. The last line
// has the number of transfers.

use std::alloc::{alloc_zeroed, Layout};
use std::ffi::CString;
use std::fs::{read_link, read_to_string, File, OpenOptions};
use std::os::raw::{c_int, c_ulong, c_void};
use std::os::unix::fs::FileExt;
use std::os::unix::io::{AsRawFd, FromRawFd};
use std::process::{exit, Command};
use std::ptr::{null_mut, read_volatile, write_volatile};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

extern "C" {
    fn ioctl(fd: c_int, request: c_ulong, ...) -> c_int;
    fn mmap(at: *mut c_void, len: usize, prot: c_int, flags: c_int, fd: c_int, pos: i64) -> *mut u8;
}

const PAGE: usize = 4096;
const SET_IOMMU: c_ulong = 0x3b66;
const SET_CONTAINER: c_ulong = 0x3b68;
const GET_DEVICE: c_ulong = 0x3b6a;
const REGION_INFO: c_ulong = 0x3b6c;
const NO_IOMMU: c_ulong = 8;
const CONFIG_REGION: u32 = 7;
const COMMAND: u64 = 4;
const DMA_SOURCE: usize = 0x80;
const DMA_TARGET: usize = 0x88;
const DMA_COUNT: usize = 0x90;
const DMA_COMMAND: usize = 0x98;
const START: u64 = 1;
const TO_RAM: u64 = 2;
const BUFFER: u64 = 0x40000;
const LENGTH: usize = PAGE - 8;
const PRESENT: u64 = 1 << 63;
const FRAME: u64 = (1 << 55) - 1;

#[repr(C)]
#[derive(Default)]
struct Region {
    size: u32,
    flags: u32,
    index: u32,
    capability: u32,
    length: u64,
    offset: u64,
}

fn fails(what: &str) -> ! {
    eprintln!("edu: {}: {}", what, std::io::Error::last_os_error());
    exit(2);
}

fn open(path: &str) -> File {
    match OpenOptions::new().read(true).write(true).open(path) {
        Ok(file) => file,
        Err(_) => fails(path),
    }
}

fn offset_of(device: &File, index: u32) -> u64 {
    let mut region = Region { size: 32, index, ..Default::default() };
    if unsafe { ioctl(device.as_raw_fd(), REGION_INFO, &mut region) } != 0 {
        fails("GET_REGION_INFO");
    }
    region.offset
}

// The container and the group stay open as long as the device.
fn open_device(address: &str) -> (File, File, File) {
    let link = read_link(format!("/sys/bus/pci/devices/{}/iommu_group", address))
        .unwrap_or_else(|_| fails("iommu_group"));
    let name = link.file_name().unwrap().to_str().unwrap();
    let container = open("/dev/vfio/vfio");
    let group = open(&format!("/dev/vfio/noiommu-{}", name));
    let address = CString::new(address).unwrap();
    unsafe {
        if ioctl(group.as_raw_fd(), SET_CONTAINER, &container.as_raw_fd()) != 0 {
            fails("SET_CONTAINER");
        }
        if ioctl(container.as_raw_fd(), SET_IOMMU, NO_IOMMU) != 0 {
            fails("SET_IOMMU");
        }
        let device = ioctl(group.as_raw_fd(), GET_DEVICE, address.as_ptr());
        if device < 0 {
            fails("GET_DEVICE_FD");
        }
        (container, group, File::from_raw_fd(device))
    }
}

fn enable_bus_master(device: &File) {
    let at = offset_of(device, CONFIG_REGION) + COMMAND;
    let mut command = [0u8; 2];
    device.read_exact_at(&mut command, at).unwrap();
    command[0] |= 6;
    device.write_all_at(&command, at).unwrap();
}

fn physical(memory: &[u8]) -> u64 {
    let mut entry = [0u8; 8];
    File::open("/proc/self/pagemap")
        .and_then(|file| file.read_exact_at(&mut entry, (memory.as_ptr() as usize / PAGE * 8) as u64))
        .unwrap_or_else(|_| fails("pagemap"));
    let entry = u64::from_le_bytes(entry);
    if entry & PRESENT == 0 || entry & FRAME == 0 {
        fails("address");
    }
    (entry & FRAME) * PAGE as u64
}

fn page() -> &'static mut [u8] {
    let layout = Layout::from_size_align(PAGE, PAGE).unwrap();
    unsafe { std::slice::from_raw_parts_mut(alloc_zeroed(layout), PAGE) }
}

fn dma(bar: *mut u8, from: u64, to: u64, direction: u64) {
    let register = |at: usize| unsafe { bar.add(at) as *mut u64 };
    unsafe {
        write_volatile(register(DMA_SOURCE), from);
        write_volatile(register(DMA_TARGET), to);
        write_volatile(register(DMA_COUNT), LENGTH as u64);
        write_volatile(register(DMA_COMMAND), START | direction);
        for _ in 0..10000 {
            if read_volatile(register(DMA_COMMAND)) & START == 0 {
                return;
            }
            thread::sleep(Duration::from_millis(1));
        }
    }
    fails("DMA");
}

static END: AtomicBool = AtomicBool::new(false);

fn keep_busy() {
    while !END.load(Ordering::Relaxed) {
        if !read_to_string("/proc/self/stat").unwrap().contains("edu") {
            fails("stat");
        }
        drop(vec![1u8; 100 * PAGE]);
        thread::sleep(Duration::from_millis(5));
    }
}

fn start_children() {
    let echo = Command::new("/bin/echo").arg("dynamic").output().unwrap();
    if echo.stdout != b"dynamic\n" {
        fails("a dynamic child");
    }
    let child = Command::new("/proc/self/exe").arg("child").status().unwrap();
    if child.code() != Some(7) {
        fails("a child in Rust");
    }
}

fn main() {
    let args: Vec<String> = std::env::args().collect();
    if args.len() == 2 {
        exit(7);
    }
    let rounds: usize = args[2].parse().unwrap();
    let threads: Vec<_> = (0..4).map(|_| thread::spawn(keep_busy)).collect();
    let (from, to) = (page(), page());
    from[0] = 1;
    let from_pa = physical(from); // before any device is open
    let (_container, _group, device) = open_device(&args[1]);
    enable_bus_master(&device);
    let bar = unsafe { mmap(null_mut(), PAGE, 3, 1, device.as_raw_fd(), offset_of(&device, 0) as i64) };
    if bar as isize == -1 {
        fails("BAR 0");
    }
    to[0] = 1;
    let to_pa = physical(to);
    println!("ready");
    let mut corrupted = 0;
    for round in 0..rounds {
        for i in 0..PAGE {
            from[i] = (i * 7 + round) as u8;
            to[i] = 0xaa;
        }
        dma(bar, from_pa, BUFFER, 0);
        dma(bar, BUFFER, to_pa, TO_RAM);
        // The device has written, which the compiler does not know.
        let same = (0..LENGTH).all(|i| unsafe { read_volatile(&to[i]) } == from[i]);
        if !same || physical(from) != from_pa {
            corrupted += 1;
        }
        if round % 4 == 0 {
            start_children();
        }
    }
    END.store(true, Ordering::Relaxed);
    for thread in threads {
        thread.join().unwrap();
    }
    println!("{} transfers, {} corrupted", 2 * rounds, corrupted);
    exit((corrupted > 0) as i32);
}
