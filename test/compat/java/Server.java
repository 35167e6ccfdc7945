import com.sun.net.httpserver.HttpServer;
import java.net.InetSocketAddress;
import java.nio.file.Files;

class Server {
    public static void main(String[] args) throws Exception {
        var server = HttpServer.create(new InetSocketAddress(80), 0);
        server.createContext("/", exchange -> {
            var page = Files.createTempFile("page", ".txt");
            Files.writeString(page, "for " + System.getProperty("user.name"));
            var answer = Files.readAllBytes(page);
            exchange.sendResponseHeaders(200, answer.length);
            exchange.getResponseBody().write(answer);
            exchange.close();
        });
        server.start();
    }
}
