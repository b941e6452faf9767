/*
 * The ways by which Java programs read their pagemap.
 *
 * What it prints and waits for: see tests/vm/guest/observe.
 */
import java.io.FileInputStream;
import java.io.RandomAccessFile;
import java.lang.reflect.Field;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.file.Paths;
import sun.misc.Unsafe;

public class Pagemap {
	static final int PAGE = 4096, PAGES = 16, UNTOUCHED = 5;
	static final String PATH = "/proc/self/pagemap";

	interface Way {
		void read(long pos, byte[] data) throws Exception;
	}

	static void randomAccess(long pos, byte[] data) throws Exception {
		try (RandomAccessFile file = new RandomAccessFile(PATH, "r")) {
			file.seek(pos);
			for (int i = 0; i < data.length; i += 8)
				file.readFully(data, i, 8);
		}
	}

	static void channel(long pos, byte[] data) throws Exception {
		try (FileChannel file = FileChannel.open(Paths.get(PATH))) {
			if (file.read(ByteBuffer.wrap(data), pos) != data.length)
				throw new Exception("short read");
		}
	}

	static void stream(long pos, byte[] data) throws Exception {
		try (FileInputStream file = new FileInputStream(PATH)) {
			file.getChannel().position(pos);
			if (file.read(data) != data.length)
				throw new Exception("short read");
		}
	}

	static long newMemory(Unsafe unsafe) {
		long va = unsafe.allocateMemory((PAGES + 1) * PAGE) + PAGE - 1 & -PAGE;

		for (int i = 0; i < PAGES; i++)
			if (i != UNTOUCHED)
				unsafe.putByte(va + i * PAGE, (byte)1);
		return va;
	}

	static void show(Unsafe unsafe, String name, Way way) throws Exception {
		long va = newMemory(unsafe);
		byte[] data = new byte[8 * PAGES];
		ByteBuffer entries = ByteBuffer.wrap(data).order(ByteOrder.nativeOrder());

		way.read(va / PAGE * 8, data);
		for (int i = 0; i < PAGES; i++)
			System.out.printf("%#x %#x %s%n", va + i * PAGE, entries.getLong(), name);
	}

	public static void main(String[] args) throws Exception {
		Field field = Unsafe.class.getDeclaredField("theUnsafe");

		field.setAccessible(true);
		Unsafe unsafe = (Unsafe)field.get(null);

		show(unsafe, "RandomAccessFile", Pagemap::randomAccess);
		show(unsafe, "FileChannel", Pagemap::channel);
		show(unsafe, "FileInputStream", Pagemap::stream);
		System.out.println("ready");
		System.in.read();
	}
}
