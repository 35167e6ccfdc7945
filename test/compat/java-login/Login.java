import com.sun.security.auth.UnixPrincipal;
import java.util.Map;
import javax.security.auth.Subject;
import com.sun.security.auth.module.UnixLoginModule;

class Login {
    public static void main(String[] args) throws Exception {
        var subject = new Subject();
        var module = new UnixLoginModule();
        module.initialize(subject, null, Map.of(), Map.of());
        module.login();
        module.commit();
        System.out.println("logged in as " + subject.getPrincipals(UnixPrincipal.class).iterator().next().getName());
    }
}
