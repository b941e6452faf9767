/*
 * pagemap - the ways by which C++ programs read their pagemap
 *
 * What it prints and waits for: see tests/vm/guest/observe. An ifstream as it
 * is asks for 8191 bytes, which the kernel refuses; so they give it another
 * buffer, or none.
 */
#include <sys/mman.h>

#include <cstdint>
#include <fstream>
#include <functional>
#include <iostream>
#include <string>
#include <vector>

constexpr std::size_t page = 4096, pages = 16, untouched = 5;
const char *const path = "/proc/self/pagemap";

using entries = std::vector<std::uint64_t>;

static void read_all(std::istream &file, std::streamoff pos, entries &to)
{
	file.seekg(pos);
	file.read(reinterpret_cast<char *>(to.data()), to.size() * sizeof(to[0]));
}

static entries no_buffer(std::streamoff pos)
{
	std::ifstream file;
	entries found(pages);

	file.exceptions(std::ios::badbit | std::ios::failbit);
	file.rdbuf()->pubsetbuf(nullptr, 0);
	file.open(path, std::ios::binary);
	read_all(file, pos, found);
	return found;
}

/* A filebuf keeps one byte of its buffer for itself. */
static entries own_buffer(std::streamoff pos)
{
	char buffer[64 * sizeof(std::uint64_t) + 1];
	std::ifstream file;
	entries found(pages);

	file.exceptions(std::ios::badbit | std::ios::failbit);
	file.rdbuf()->pubsetbuf(buffer, sizeof(buffer));
	file.open(path, std::ios::binary);
	read_all(file, pos, found);
	return found;
}

static entries each(std::streamoff pos)
{
	entries found;

	for (std::size_t i = 0; i < pages; i++) {
		std::filebuf file;
		std::uint64_t entry = 0;

		file.pubsetbuf(nullptr, 0);
		if (!file.open(path, std::ios::in | std::ios::binary))
			throw std::ios::failure("open");
		file.pubseekoff(pos + i * sizeof(entry), std::ios::beg);
		if (file.sgetn(reinterpret_cast<char *>(&entry), sizeof(entry)) != sizeof(entry))
			throw std::ios::failure("sgetn");
		found.push_back(entry);
	}
	return found;
}

static char *new_memory()
{
	auto memory = static_cast<char *>(mmap(nullptr, pages * page, PROT_READ | PROT_WRITE,
					       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));

	for (std::size_t i = 0; i < pages; i++)
		if (i != untouched)
			memory[i * page] = 1;
	return memory;
}

int main()
{
	const std::vector<std::pair<std::string, std::function<entries(std::streamoff)>>> ways = {
		{ "ifstream, no buffer", no_buffer },
		{ "ifstream, own buffer", own_buffer },
		{ "filebuf", each },
	};

	std::cout << std::hex << std::showbase;
	for (const auto &way : ways) {
		auto va = reinterpret_cast<std::uintptr_t>(new_memory());

		for (auto entry : way.second(va / page * sizeof(std::uint64_t))) {
			std::cout << va << ' ' << entry << ' ' << way.first << '\n';
			va += page;
		}
	}
	std::cout << "ready" << std::endl;
	std::cin.get();
}
