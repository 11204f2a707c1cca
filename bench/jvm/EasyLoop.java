import hex.genmodel.MojoModel;
import hex.genmodel.easy.EasyPredictModelWrapper;
import hex.genmodel.easy.RowData;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/** H2O's own scorer called in a loop, one thread: `java EasyLoop.java MOJO ROWS.tsv SECONDS ROWS_A_REQUEST…`; prints requests per second. */
public class EasyLoop {
    public static void main(String[] arguments) throws Exception {
        EasyPredictModelWrapper.Config config = new EasyPredictModelWrapper.Config().setModel(MojoModel.load(arguments[0]));
        EasyPredictModelWrapper model = new EasyPredictModelWrapper(config.setConvertUnknownCategoricalLevelsToNa(true));
        List<String> lines = Files.readAllLines(Path.of(arguments[1]));
        String[] names = lines.remove(0).split("\t");
        List<Object[]> rows = new ArrayList<>();
        for (String line : lines) {
            String[] texts = line.split("\t", -1);
            Object[] row = new Object[texts.length];
            for (int i = 0; i < row.length; i++) {
                row[i] = texts[i].startsWith("#") ? (Object) Double.valueOf(texts[i].substring(1)) : texts[i];
            }
            rows.add(row);
        }
        long length = (long) (Double.parseDouble(arguments[2]) * 1e9);
        for (int argument = 3; argument < arguments.length; argument++) {
            int count = Integer.parseInt(arguments[argument]);
            run(model, names, rows, count, length / 2); // until it is compiled
            System.out.println(run(model, names, rows, count, length));
        }
    }

    private static double run(EasyPredictModelWrapper model, String[] names, List<Object[]> rows, int count, long length) throws Exception {
        long began = System.nanoTime(), requests = 0, sum = 0;
        for (int at = 0; System.nanoTime() - began < length; requests++) {
            for (int i = 0; i < count; i++, at = (at + 1) % rows.size()) {
                Object[] row = rows.get(at);
                RowData data = new RowData();
                for (int j = 0; j < names.length; j++) {
                    data.put(names[j], row[j]);
                }
                sum += model.predictBinomial(data).labelIndex;
            }
        }
        return sum < 0 ? 0 : requests * 1e9 / (System.nanoTime() - began);
    }
}
